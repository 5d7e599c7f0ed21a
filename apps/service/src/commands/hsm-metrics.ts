import type { FleetDevice, FleetStatus } from '#libs/hsm';

interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly value: (device: FleetDevice) => number;
}

const METRICS: readonly Metric[] = [
  { name: 'up', type: 'gauge', help: '1 while the device takes requests', value: ({ state, figures }) => (state === 'up' && figures.breaker === 'closed' ? 1 : 0) },
  { name: 'quarantined', type: 'gauge', help: '1 after a wrong known answer', value: ({ state }) => (state === 'quarantined' ? 1 : 0) },
  { name: 'sessions', type: 'gauge', help: 'Open sessions', value: ({ figures }) => figures.sessionsOpen },
  { name: 'outstanding', type: 'gauge', help: 'Requests sent or waiting', value: ({ figures }) => figures.outstanding },
  { name: 'queued', type: 'gauge', help: 'Requests waiting', value: ({ figures }) => figures.queued },
  { name: 'login_epoch', type: 'gauge', help: 'Logins since the supervisor started', value: ({ figures }) => figures.loginEpoch },
  { name: 'known_answer_age_seconds', type: 'gauge', help: 'Age of the last right known answer, -1 before the first', value: ({ figures }) => figures.knownAnswerAgeSeconds },
  { name: 'latency_p50_milliseconds', type: 'gauge', help: 'Median of the last 1024 requests', value: ({ figures }) => figures.latencyMs.p50 },
  { name: 'latency_p99_milliseconds', type: 'gauge', help: '99th percentile of the last 1024 requests', value: ({ figures }) => figures.latencyMs.p99 },
  { name: 'requests_total', type: 'counter', help: 'Requests', value: ({ counters }) => counters.requests },
  { name: 'items_total', type: 'counter', help: 'Items of batches', value: ({ counters }) => counters.items },
  { name: 'failures_total', type: 'counter', help: 'Requests that failed by the device', value: ({ counters }) => counters.failures },
  { name: 'retried_elsewhere_total', type: 'counter', help: 'Requests that a sibling took over', value: ({ counters }) => counters.retriedElsewhere },
  { name: 'agent_restarts_total', type: 'counter', help: 'Restarts of the agent', value: ({ counters }) => counters.agentRestarts },
  { name: 'quarantines_total', type: 'counter', help: 'Times the device gave wrong known answers', value: ({ counters }) => counters.quarantines },
];

/** The fleet as Prometheus text format 0.0.4. */
export function hsmMetrics({ devices }: FleetStatus): string {
  const lines = METRICS.flatMap(({ name, type, help, value }) => [
    `# HELP hufu_hsm_${name} ${help}`,
    `# TYPE hufu_hsm_${name} ${type}`,
    ...devices.map((device) => `hufu_hsm_${name}{device="${device.device}",group="${device.group}"} ${value(device)}`),
  ]);
  const errors = devices.flatMap(({ device, group, counters }) => Object.entries(counters.errors).map(([ckr, count]) => `hufu_hsm_errors_total{device="${device}",group="${group}",ckr="${ckr}"} ${count}`));
  return [...lines, '# HELP hufu_hsm_errors_total Return values by CKR name', '# TYPE hufu_hsm_errors_total counter', ...errors, ''].join('\n');
}
