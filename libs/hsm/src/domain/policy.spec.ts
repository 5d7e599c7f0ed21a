import { describe, expect, it } from '@jest/globals';
import { ALL_KEY_CLASSES } from './class-rules.js';
import { allowedClasses, CLIENTS, type Client } from './policy.js';
import { RECIPES, type RecipeName } from './recipes.js';

const recipes = Object.keys(RECIPES) as RecipeName[];

describe('policy', () => {
  it('lets the service run every recipe', () => {
    for (const recipe of recipes) expect(allowedClasses('service', recipe)).toBeDefined();
    expect(allowedClasses('service', 'sign')).toEqual(ALL_KEY_CLASSES.filter((keyClass) => keyClass !== 'journalSigning'));
    expect(allowedClasses('service', 'importTestTransportKey')).toEqual(['psamTransportRoot']);
  });

  it('lets the worker sign reports and nothing else', () => {
    expect(recipes.filter((recipe) => allowedClasses('worker', recipe) !== undefined)).toEqual(['devices', 'sign']);
    expect(allowedClasses('worker', 'sign')).toEqual(['reportSigning']);
  });

  it('lets the sequencer sign checkpoints and nothing else, and nobody but it', () => {
    expect(recipes.filter((recipe) => allowedClasses('journal', recipe) !== undefined)).toEqual(['devices', 'sign']);
    expect(allowedClasses('journal', 'sign')).toEqual(['journalSigning']);
    expect(CLIENTS.filter((client) => allowedClasses(client, 'sign')?.includes('journalSigning'))).toEqual(['journal']);
  });

  it('lets the doctor look at devices and write notes only', () => {
    expect(recipes.filter((recipe) => allowedClasses('doctor', recipe) !== undefined)).toEqual(['devices', 'fleet', 'deviceNote']);
  });

  it.each([
    ['gateway', 'sign'],
    ['__proto__', 'sign'],
    ['service', 'toString'],
    ['service', 'constructor'],
    ['worker', 'inventory'],
  ])('refuses what does not stand in the table: %s %s', (client, recipe) => {
    expect(allowedClasses(client as Client, recipe as RecipeName)).toBeUndefined();
  });

  it('names each client once', () => {
    expect(new Set(CLIENTS).size).toBe(CLIENTS.length);
  });
});
