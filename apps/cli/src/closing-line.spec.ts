import { describe, expect, it } from '@jest/globals';
import { closingLine, countTests } from './closing-line.js';

const suite = (name: string, status: string, ...tests: string[]) => ({ name, status, assertionResults: tests.map((each) => ({ status: each })) });

describe('the closing line', () => {
  it.each([
    ['all passed', ['a', 'b'], [suite('a', 'passed', 'passed', 'passed'), suite('b', 'passed', 'passed')], 0, '3 passed, 0 failed'],
    ['a failed test', ['a'], [suite('a', 'failed', 'passed', 'failed')], 1, '1 passed, 1 failed'],
    ['a skipped test', ['a'], [suite('a', 'passed', 'passed', 'pending')], 0, '1 passed, 1 failed'],
    ['a todo', ['a'], [suite('a', 'passed', 'passed', 'todo')], 0, '1 passed, 1 failed'],
    ['a suite that does not load', ['a', 'b'], [suite('a', 'passed', 'passed'), suite('b', 'failed')], 1, '1 passed, 1 failed'],
    ['a suite without tests', ['a', 'b'], [suite('a', 'passed', 'passed'), suite('b', 'passed')], 0, '1 passed, 1 failed'],
    ['a listed suite that never ran', ['a', 'b', 'c'], [suite('a', 'passed', 'passed')], 0, '1 passed, 2 failed'],
    ['a suite that failed around its tests', ['a'], [suite('a', 'failed', 'passed')], 1, '1 passed, 1 failed'],
    ['an exit code that nothing explains', ['a'], [suite('a', 'passed', 'passed')], 1, '1 passed, 1 failed'],
    ['a run that was killed after its report', ['a'], [suite('a', 'passed', 'passed')], null, '1 passed, 1 failed'],
    ['nothing listed', [], [], 0, '0 passed, 1 failed'],
  ])('%s', (_name, listed, testResults, exitCode, line) => {
    expect(closingLine(countTests(listed, { testResults }, exitCode))).toBe(line);
  });

  it('no report', () => {
    expect(countTests(['a', 'b'], undefined, 1)).toEqual({ passed: 0, failed: 2 });
  });
});
