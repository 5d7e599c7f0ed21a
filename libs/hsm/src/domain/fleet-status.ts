import type { DeviceGroup } from './device-group.js';

/** Counters of one device since the supervisor started; what a metrics endpoint turns into time series. */
export interface DeviceCounters {
  readonly requests: number;
  readonly items: number;
  readonly failures: number;
  readonly retriedElsewhere: number;
  readonly agentRestarts: number;
  readonly quarantines: number;
  readonly knownAnswerRuns: number;
  /** By CKR name. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface DeviceFigures {
  readonly outstanding: number;
  readonly queued: number;
  readonly sessionsOpen: number;
  readonly loginEpoch: number;
  /** Age of the last right known answer; -1 before the first. */
  readonly knownAnswerAgeSeconds: number;
  /** Over the last 1,024 requests. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly breaker: 'closed' | 'open' | 'halfOpen';
}

/** What a device is, as the supervisor saw it at its last start, and what operators wrote about it. */
export interface DeviceRecord {
  readonly serial: string;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly firmware: string;
  /** Of the module's file, hex: what the configuration pins. */
  readonly moduleSha256: string;
  readonly site: string;
  readonly productCertificate: { readonly number: string; readonly validUntil: string } | undefined;
  /** SHA-256 over the configuration snapshot (mechanisms, flags, firmware), and when it last changed. */
  readonly snapshotDigest: string;
  readonly snapshotChangedAt: string;
  /** Recipe × algorithm that the profile claims and the device does not have. */
  readonly missing: readonly string[];
  /** The last entries of its history, one JSON object each: changes of the snapshot, patrol notes, steps taken. */
  readonly history: readonly string[];
}

export interface FleetDevice {
  readonly device: string;
  readonly group: DeviceGroup;
  readonly state: string;
  readonly reason: string;
  readonly profile: string;
  readonly figures: DeviceFigures;
  readonly counters: DeviceCounters;
  readonly record: DeviceRecord;
}

export interface FleetStatus {
  readonly devices: readonly FleetDevice[];
  readonly groups: readonly { readonly group: DeviceGroup; readonly up: number; readonly of: number }[];
  /** Rules of the policy that somebody has stopped. */
  readonly stopped: readonly string[];
  /** Answers that a device gave online in the known-answer interval before it was quarantined: to be looked at again. */
  readonly doubtful: readonly { readonly device: string; readonly recipe: string; readonly at: string; readonly keyIds: readonly string[] }[];
}
