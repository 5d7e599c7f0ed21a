import type { Link } from './chain.js';
import { MODES } from './plan.js';
import { INCIDENTS, type CeremonyState, type Recording } from './state.js';

interface Cue {
  readonly from: Date;
  readonly to: Date;
  readonly lines: readonly string[];
}

/** What is shown for an event that takes no time of its own. */
const SHOWN_MILLISECONDS = 5_000;
const ENDS_STEP: ReadonlySet<string> = new Set(['stepCompleted', 'stepSkipped', 'stepOpened']);

/**
 * Subtitles (SubRip) for one recording: every step from its opening to its end, pauses, deviations and the incident. The camera's clock is the
 * station's plus the offset that was read off at check-in; the text of a rehearsal says so in every cue.
 */
export function subtitles(state: CeremonyState, links: readonly Link[], { cameraStartedAt, clockOffsetMilliseconds }: Recording): string {
  const zero = new Date(cameraStartedAt).getTime() - clockOffsetMilliseconds;
  const mode = state.plan?.mode === 'rehearsal' ? [`【${MODES.rehearsal.zh} ${MODES.rehearsal.en}】`] : [];
  return cuesOf(state, links)
    .filter(({ to }) => to.getTime() > zero)
    .map(({ from, to, lines }, index) => `${index + 1}\n${position(from, zero)} --> ${position(to, zero)}\n${[...mode, ...lines].join('\n')}\n`)
    .join('\n');
}

function cuesOf({ steps }: CeremonyState, links: readonly Link[]): Cue[] {
  return links.flatMap(({ event }, index): Cue[] => {
    const from = new Date(event.at);
    const brief = (...lines: readonly string[]): Cue[] => [{ from, to: new Date(from.getTime() + SHOWN_MILLISECONDS), lines }];
    if (event.type === 'stepOpened') {
      const title = steps.find(({ name }) => name === event.step)?.title;
      const end = links.slice(index + 1).find(({ event: later }) => ENDS_STEP.has(later.type)) ?? links.at(-1);
      return [{ from, to: new Date(end?.event.at ?? event.at), lines: [`${event.step} ${title?.zh ?? ''}`, title?.en ?? ''] }];
    }
    if (event.type === 'paused') return brief(`暂停 Paused: ${oneLine(event.reason)}`);
    if (event.type === 'resumed') return brief(`继续 Resumed: ${oneLine(event.reason)}`);
    return event.type === 'deviation' ? brief(`偏差 Deviation (${event.by}): ${oneLine(event.text)}`) : [];
  });
}

/** The incident as people read it, or nothing. */
export function incidentLine({ incident }: CeremonyState): { zh: string; en: string } | undefined {
  return incident === undefined ? undefined : { zh: `${incident.step}：${INCIDENTS[incident.kind].zh}`, en: `${incident.step}: ${INCIDENTS[incident.kind].en}` };
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

function position(at: Date, zero: number): string {
  const total = Math.max(0, at.getTime() - zero);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(total / 3_600_000))}:${two(Math.floor(total / 60_000) % 60)}:${two(Math.floor(total / 1000) % 60)},${String(total % 1000).padStart(3, '0')}`;
}
