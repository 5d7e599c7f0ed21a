/** The part of Jest's `--json` report that is looked at. */
export interface JestReport {
  readonly testResults: readonly {
    /** Path of the suite. */
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export interface TestCount {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Counts by what must hold, not by what Jest calls a failure (its numFailedTests is 0 when a suite does not compile):
 * everything that did not pass has failed. That is a failed, skipped, todo or unrun test, a suite that did not load, that
 * holds no test or that was listed and never ran, a suite whose tests passed and that failed around them, a run that left
 * no report, and an exit code that nothing else explains.
 */
export function countTests(listed: readonly string[], report: JestReport | undefined, exitCode: number | null): TestCount {
  let passed = 0;
  let failed = 0;
  const results = new Map((report?.testResults ?? []).map((suite) => [suite.name, suite]));
  for (const name of new Set([...listed, ...results.keys()])) {
    const suite = results.get(name);
    const tests = suite?.assertionResults ?? [];
    const good = tests.filter(({ status }) => status === 'passed').length;
    passed += good;
    const clean = good === tests.length;
    failed += tests.length - good;
    if (tests.length === 0 || (clean && suite?.status !== 'passed')) failed += 1;
  }
  if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1;
  return { passed, failed };
}

export function closingLine({ passed, failed }: TestCount): string {
  return `${passed} passed, ${failed} failed`;
}
