import { ALL_KEY_CLASSES } from './class-rules.js';
import type { KeyClass } from './key-class.js';
import type { RecipeName } from './recipes.js';

/** Who may call the supervisor: each has its own socket, so the name is proven by the rights of the folder. */
export const CLIENTS = ['service', 'worker', 'journal', 'doctor'] as const;
export type Client = (typeof CLIENTS)[number];

/** Client × recipe → key classes. What does not stand here is refused. */
const POLICY: Readonly<Record<Client, Partial<Record<RecipeName, readonly KeyClass[]>>>> = {
  service: {
    devices: [],
    fleet: [],
    deviceNote: [],
    pinQuestions: [],
    pinAnswer: [],
    policyChain: [],
    addPolicy: [],
    stop: [],
    start: [],
    inventory: [],
    knownAnswers: [],
    generateKey: ALL_KEY_CLASSES,
    generateKeyPair: ALL_KEY_CLASSES,
    importTestTransportKey: ['psamTransportRoot'],
    transfer: ALL_KEY_CLASSES,
    seal: ALL_KEY_CLASSES,
    escrowTrust: [],
    escrowSplit: ALL_KEY_CLASSES,
    escrowTarget: [],
    escrowRecover: ALL_KEY_CLASSES,
    escrowAbort: [],
    checkValues: ALL_KEY_CLASSES,
    fingerprints: ALL_KEY_CLASSES,
    protectForCard: ALL_KEY_CLASSES,
    commandMacs: ALL_KEY_CLASSES,
    authenticateToCard: ALL_KEY_CLASSES,
    purchaseMacs: ALL_KEY_CLASSES,
    tacs: ALL_KEY_CLASSES,
    // The service writes entries; whoever could also sign the log's heads could write another history.
    sign: ALL_KEY_CLASSES.filter((keyClass) => keyClass !== 'journalSigning'),
    destroy: ALL_KEY_CLASSES,
  },
  worker: { devices: [], sign: ['reportSigning'] },
  journal: { devices: [], sign: ['journalSigning'] },
  doctor: { devices: [], fleet: [], deviceNote: [] },
};

/**
 * The key classes that `client` may touch with `recipe`; empty where a recipe touches no key of the register; undefined =
 * refuse. The supervisor asks before it forwards, the agent looks at the class of each key.
 */
export function allowedClasses(client: Client, recipe: RecipeName): readonly KeyClass[] | undefined {
  return Object.hasOwn(POLICY, client) && Object.hasOwn(POLICY[client], recipe) ? POLICY[client][recipe] : undefined;
}
