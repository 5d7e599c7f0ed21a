import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { diversify, diversifyByCommand, mac, pad80, purchaseSessionKey, tripleDecrypt, tripleEncrypt } from './crypto.js';

interface Vectors {
  retailMac: { name: string; source: string; key: string; initial: string; data: string; mac: string }[];
  externalAuthentication: { name: string; source: string; key: string; challenge: string; answer: string }[];
  diversification: { name: string; source: string; root: string; factors: string[]; child: string }[];
  keyLoad: { name: string; source: string; controlKey: string; header: string; key: string; challenge: string; plain: string; cipher: string; mac: string; command: string }[];
  purchase: Record<'name' | 'source' | 'cardKey' | 'random' | 'cardSequence' | 'terminalSequence' | 'sessionKey' | 'amount' | 'type' | 'terminalNumber' | 'date' | 'time' | 'mac1' | 'mac2', string>[];
}

const vectors = JSON.parse(readFileSync('test/vectors/psam.json', 'utf8')) as Vectors;
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (value: Buffer): string => value.toString('hex').toUpperCase();

describe("the card's own arithmetic against test/vectors/psam.json", () => {
  it('names a source for every entry', () => {
    const entries = Object.values(vectors as unknown as Record<string, { source?: string }[]>).flat();
    expect(entries.length).toBe(9);
    expect(entries.every((entry) => (entry.source ?? '').length > 10)).toBe(true);
  });

  it.each(vectors.retailMac)('retail MAC: $name', (vector) => {
    expect(hex(mac(bytes(vector.key), bytes(vector.initial), bytes(vector.data))).slice(0, vector.mac.length)).toBe(vector.mac);
  });

  it.each(vectors.externalAuthentication)('external authentication: $name', (vector) => {
    expect(hex(tripleEncrypt(bytes(vector.key), bytes(vector.challenge)))).toBe(vector.answer);
  });

  it.each(vectors.diversification)('diversification: $name', (vector) => {
    const fromTop = vector.factors.reduce((key, factor) => diversify(key, bytes(factor)), bytes(vector.root));
    expect(hex(fromTop)).toBe(vector.child);
    expect(hex(diversifyByCommand(bytes(vector.root), bytes([...vector.factors].reverse().join(''))))).toBe(vector.child);
  });

  it.each(vectors.keyLoad)('key load: $name', (vector) => {
    expect(hex(pad80(bytes(`18${vector.header}${vector.key}`)))).toBe(vector.plain);
    expect(hex(tripleEncrypt(bytes(vector.controlKey), bytes(vector.plain)))).toBe(vector.cipher);
    expect(hex(tripleDecrypt(bytes(vector.controlKey), bytes(vector.cipher)))).toBe(vector.plain);
    expect(hex(mac(bytes(vector.controlKey), bytes(vector.challenge), bytes(`84D4010024${vector.cipher}`))).slice(0, 8)).toBe(vector.mac);
  });

  it.each(vectors.purchase)('purchase: $name', (vector) => {
    const sessionKey = purchaseSessionKey(bytes(vector.cardKey), bytes(vector.random), bytes(vector.cardSequence), bytes(vector.terminalSequence));
    expect(hex(sessionKey)).toBe(vector.sessionKey);
    const mac1 = mac(sessionKey, Buffer.alloc(8), bytes(`${vector.amount}${vector.type}${vector.terminalNumber}${vector.date}${vector.time}`));
    expect(hex(mac1).slice(0, 8)).toBe(vector.mac1);
    expect(hex(mac(sessionKey, Buffer.alloc(8), bytes(vector.amount))).slice(0, 8)).toBe(vector.mac2);
  });
});
