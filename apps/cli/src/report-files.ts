import { join } from 'node:path';
import { AppError, isAppError, writeFileAtomic } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandClient } from './command-client.js';

interface ShownReport {
  readonly pdf: string;
  readonly json: string;
  readonly pdfCms: string;
  readonly jsonCms: string;
}

export interface ReportFiles {
  readonly pdf: string;
  readonly json: string;
  readonly pdfCms: string;
  readonly jsonCms: string;
}

const NAMES: ReportFiles = { pdf: 'report.pdf', json: 'report.json', pdfCms: 'report.pdf.p7s', jsonCms: 'report.json.p7s' };

/** How long a report of a finished run may take. */
const PATIENCE_MS = 60_000;

/** Asks the service for the report of a run (it is rendered again from the run's rows) and writes its four files. */
export async function writeReport(client: CommandClient, runId: string, folder: string): Promise<ReportFiles> {
  const report = await whenReady(client, runId);
  const paths = Object.fromEntries(Object.entries(NAMES).map(([part, name]) => [part, join(folder, name)])) as unknown as ReportFiles;
  for (const part of Object.keys(NAMES) as (keyof ReportFiles)[]) writeFileAtomic(paths[part], Buffer.from(report[part], 'base64'));
  return paths;
}

async function whenReady(client: CommandClient, runId: string): Promise<ShownReport> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await client.call<ShownReport>('report.read', { runId });
    } catch (error) {
      if (!isAppError(error) || error.code !== 'REPORT_NOT_READY' || Date.now() > until) throw error;
      await sleep(200);
    }
  }
}

/** Refuses what cannot be a run's id before anything is started. Throws RUN_UNKNOWN. */
export function requireRunId(text: string): string {
  if (!/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(text)) throw new AppError('RUN_UNKNOWN', { run: text });
  return text;
}
