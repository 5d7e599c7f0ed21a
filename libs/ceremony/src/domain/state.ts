import type { Link } from './chain.js';
import type { Digests } from './digests.js';
import type { EventType, EvidenceFile } from './event.js';
import type { Participant, Plan } from './plan.js';
import type { PlannedStep, Script } from './script.js';

/** Where a ceremony stands. */
export const PHASES = {
  empty: { zh: '未建立', en: 'empty' },
  running: { zh: '进行中', en: 'running' },
  paused: { zh: '已暂停', en: 'paused' },
  stopped: { zh: '已中止', en: 'stopped' },
  signing: { zh: '签署中', en: 'signing' },
  signed: { zh: '已签署', en: 'signed' },
  closed: { zh: '已结束', en: 'closed' },
} as const;
export type Phase = keyof typeof PHASES;

/** In which phases an event may be entered at all. What else it needs stands with its rule. */
export const ALLOWED: Readonly<Record<EventType, readonly Phase[]>> = {
  planned: ['empty'],
  attended: ['running', 'paused', 'stopped'],
  left: ['running', 'paused', 'stopped', 'signing'],
  recording: ['running'],
  stepOpened: ['running', 'stopped', 'signed'],
  stepCompleted: ['running', 'signing', 'signed'],
  stepSkipped: ['running'],
  stationStarted: ['running', 'paused', 'stopped', 'signing', 'signed'],
  scriptConfirmed: ['running'],
  deviceObserved: ['running'],
  armed: ['running'],
  armSigned: ['running'],
  executionIntended: ['running'],
  // What a device did is recorded whatever has happened meanwhile.
  executionEnded: ['running', 'paused', 'stopped'],
  outcomeDecided: ['running', 'paused', 'stopped'],
  componentOpened: ['running'],
  componentWritten: ['running'],
  componentReread: ['running'],
  componentSpoiled: ['running'],
  kcvHeard: ['running'],
  bagSealed: ['running'],
  bagOpened: ['running'],
  bagSigned: ['running'],
  confirmed: ['running'],
  paused: ['running'],
  resumed: ['paused'],
  deviation: ['running', 'paused', 'stopped', 'signing'],
  evidenceAdded: ['running', 'paused', 'stopped', 'signed'],
  printed: ['running', 'paused', 'stopped', 'signed'],
  signedOff: ['signing'],
  closed: ['signed'],
};

/** Why a ceremony was stopped. There is no way on from here but to sign what happened. */
export type IncidentKind = 'scriptMismatch' | 'deviceMismatch' | 'kcvMismatch' | 'bagMismatch';
export const INCIDENTS = {
  scriptMismatch: { zh: '脚本摘要不符', en: 'the script digest differs' },
  deviceMismatch: { zh: '设备、固件、程序或防拆状态与计划不符', en: 'device, firmware, software or tamper state differ from the plan' },
  kcvMismatch: { zh: '校验值不一致：作废并清零密钥', en: 'check values differ: give the key up and zeroise' },
  bagMismatch: { zh: '袋号与上次封存不符：按密钥泄露处理', en: 'the bag is not the one that was closed last: treat as a compromise' },
} as const satisfies Record<IncidentKind, { zh: string; en: string }>;

export interface Incident {
  readonly kind: IncidentKind;
  readonly step: string;
  readonly seq: number;
  readonly by: string;
}

export interface Arming {
  readonly step: string;
  readonly subject: object;
  readonly at: Date;
  readonly signedBy: readonly string[];
}

export interface Intent {
  readonly step: string;
  readonly digests: Digests;
  /** The program that asked the device is gone: nobody saw the answer. */
  readonly orphaned: boolean;
}

/** A component on its way into a bag. */
export interface OpenComponent {
  readonly step: string;
  readonly participant: string;
  readonly bag: string;
  readonly kcv: string | undefined;
}

export interface Bag {
  readonly act: 'seal' | 'open';
  readonly bag: string;
  readonly contents: string;
  readonly safe: string;
  readonly signedBy: readonly string[];
}

export interface ComponentDone {
  readonly participant: string;
  readonly bag: string;
  readonly kcv: string;
}

export interface Recording {
  readonly video: string;
  readonly camera: string;
  readonly cameraStartedAt: string;
  readonly clockOffsetMilliseconds: number;
  /** By the station's clock. */
  readonly at: Date;
}

/** Everything that the events so far say. Made by `replay` and by nothing else. */
export interface CeremonyState {
  readonly script: Script;
  readonly phase: Phase;
  readonly last: Link | undefined;
  readonly plan: Plan | undefined;
  /** Digests of the event that holds the plan. */
  readonly planned: Digests | undefined;
  readonly steps: readonly PlannedStep[];
  /** How many steps are done; `stopped` jumps to sign-off. */
  readonly done: number;
  readonly open: PlannedStep | undefined;
  readonly skipped: readonly PlannedStep[];
  readonly present: ReadonlyMap<string, Participant>;
  /** Everybody who ever was: they are named in the bundle. */
  readonly attended: ReadonlySet<string>;
  /** Who has compared faces with identity cards. */
  readonly checkers: ReadonlySet<string>;
  readonly recordings: readonly Recording[];
  /** Who has confirmed, heard or entered something in the open step. */
  readonly said: ReadonlySet<string>;
  readonly devicesSeen: ReadonlySet<string>;
  readonly arming: Arming | undefined;
  readonly intent: Intent | undefined;
  /** Check values by step, as the device gave them. */
  readonly kcvs: ReadonlyMap<string, string>;
  readonly acted: ReadonlySet<string>;
  readonly component: OpenComponent | undefined;
  readonly components: ReadonlyMap<string, ComponentDone>;
  /** Person's account → the number of the component that ever passed this person's hands. */
  readonly held: ReadonlyMap<string, number>;
  readonly bagsUsed: ReadonlySet<string>;
  readonly bags: ReadonlyMap<string, Bag>;
  readonly incident: Incident | undefined;
  readonly deviations: readonly { readonly seq: number; readonly by: string; readonly text: string }[];
  readonly files: readonly EvidenceFile[];
  readonly copies: ReadonlyMap<string, number>;
  /** The last event before the signatures. */
  readonly transcriptHead: Link | undefined;
  readonly signatures: ReadonlySet<string>;
  readonly nonces: ReadonlySet<string>;
}

export function emptyState(script: Script): CeremonyState {
  return {
    script, phase: 'empty', last: undefined, plan: undefined, planned: undefined, steps: [], done: 0, open: undefined,
    skipped: [], present: new Map(), attended: new Set(), checkers: new Set(), recordings: [], said: new Set(), devicesSeen: new Set(), arming: undefined, intent: undefined,
    kcvs: new Map(), acted: new Set(), component: undefined, components: new Map(), held: new Map(), bagsUsed: new Set(), bags: new Map(),
    incident: undefined, deviations: [], files: [], copies: new Map(), transcriptHead: undefined, signatures: new Set(), nonces: new Set(),
  };
}

/** What a sign-off confirms. */
export function resultOf({ incident }: CeremonyState): 'completed' | 'aborted' {
  return incident === undefined ? 'completed' : 'aborted';
}

/**
 * What a person may see: while a component is in hand only its custodian has a screen, which takes no copy, paste or picture; everybody
 * else looks away, and their screen is blank.
 */
export function screenOf({ component }: CeremonyState, participant: string): 'plain' | 'private' | 'blank' {
  if (component === undefined) return 'plain';
  return component.participant === participant ? 'private' : 'blank';
}
