import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Hsm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { CertificateHistory, type TokenCertificate } from '#libs/pki';
import { AppError, Clock } from '#libs/platform';
import { assembleCms, signedAttributes } from '#libs/signature';
import { digestOf, EvidenceStore } from '../evidence-store.js';
import { Verification } from '../verification.service.js';
import { renderReport, type RenderedReport, reportFont } from './render-report.js';
import { buildReportModel, type ReportFont } from './report-model.js';
import { reportInput } from './report-source.js';
import { findIntent, findOpenRequests, findOutcome, findRequest, insertIntent, insertOutcome, insertRequest, type ReportIntent } from './report.repository.js';

export interface SignedReport extends RenderedReport {
  /** Detached CMS over each (RFC 5652), DER. */
  readonly pdfCms: Uint8Array;
  readonly jsonCms: Uint8Array;
}

/** Signed reports of runs: asked for in the service, made in the worker, read again anywhere. */
@Injectable()
export class Reports {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly clock: Clock,
    private readonly hsm: Hsm,
    private readonly certificates: CertificateHistory,
    private readonly evidence: EvidenceStore,
    private readonly verification: Verification,
  ) {}

  /** Asks for the report of a run; it is made when the run is done. Asking again changes nothing. Throws RUN_UNKNOWN. */
  async request(runId: string, signerLabel: string): Promise<void> {
    await this.verification.status(runId);
    if ((await findRequest(this.dataSource.manager, runId)) !== undefined) return;
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'report.request', subject: runId, data: { signer: signerLabel } });
      await insertRequest(tx, runId, signerLabel, this.clock.now(), entryId);
    });
  }

  /** Runs whose report can be made now. */
  openRequests(): Promise<string[]> {
    return findOpenRequests(this.dataSource.manager);
  }

  /**
   * Makes the report of a finished run. The intent with the exact bytes to be signed is committed before the key is used,
   * so a repetition after a crash signs the same bytes. Throws REPORT_* and HSM_*.
   */
  async make(runId: string): Promise<void> {
    if ((await findOutcome(this.dataSource.manager, runId)) !== undefined) return;
    const signer = await this.signer(runId);
    const intent = (await findIntent(this.dataSource.manager, runId)) ?? (await this.intend(runId, signer));
    const attributes = [intent.pdfAttributes, intent.jsonAttributes];
    const signatures = await this.hsm.sign(signer.device, attributes.map((bytes) => ({ keyId: signer.keyId, purpose: 'report', bytes })));
    const cms = { signerCertificate: intent.signerCertificate, chain: signer.chain, algorithm: 'p256' } as const;
    const [pdf, json] = attributes.map((bytes, i) => assembleCms(cms, bytes, signatures[i] as Uint8Array)) as [Uint8Array, Uint8Array];
    const outcome = { pdfCmsDigest: (await this.evidence.keep([pdf])).digest, jsonCmsDigest: (await this.evidence.keep([json])).digest };
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'report.sign', subject: runId, data: { ...outcome } });
      await insertOutcome(tx, runId, outcome, entryId);
    });
  }

  /**
   * The report again, rendered from the run's rows. Throws REPORT_NOT_READY, and REPORT_DIFFERS when the rows no longer
   * give the bytes that were signed.
   */
  async read(runId: string): Promise<SignedReport> {
    const intent = await findIntent(this.dataSource.manager, runId);
    const outcome = await findOutcome(this.dataSource.manager, runId);
    if (intent === undefined || outcome === undefined) throw new AppError('REPORT_NOT_READY', { run: runId });
    const rendered = await this.render(runId, intent);
    if (digestOf(rendered.pdf) !== intent.pdfDigest || digestOf(rendered.json) !== intent.jsonDigest) throw new AppError('REPORT_DIFFERS', { run: runId });
    return { ...rendered, pdfCms: await this.evidence.read(outcome.pdfCmsDigest), jsonCms: await this.evidence.read(outcome.jsonCmsDigest) };
  }

  private async intend(runId: string, signer: TokenCertificate): Promise<ReportIntent> {
    const font = reportFont();
    const { pdf, json } = await this.render(runId, { font, signerCertificate: signer.certificate });
    const signingTime = wholeSecond(this.clock.now());
    const intent: ReportIntent = {
      runId,
      signingTime,
      signerCertificate: signer.certificate,
      font,
      pdfDigest: digestOf(pdf),
      jsonDigest: digestOf(json),
      pdfAttributes: signedAttributes({ bytes: pdf }, signer.certificate, signingTime),
      jsonAttributes: signedAttributes({ bytes: json }, signer.certificate, signingTime),
    };
    await this.dataSource.transaction(async (tx) => {
      const data = { pdf: intent.pdfDigest, json: intent.jsonDigest, font: font.sha256, keyId: signer.keyId };
      const entryId = await this.journal.record(tx, { kind: 'report.signIntent', subject: runId, data });
      await insertIntent(tx, intent, entryId);
    });
    return intent;
  }

  private async render(runId: string, fixed: { font: ReportFont; signerCertificate: Uint8Array }): Promise<RenderedReport> {
    const results = await this.verification.results(runId);
    return renderReport(buildReportModel(await reportInput(this.dataSource.manager, results, fixed)));
  }

  private async signer(runId: string): Promise<TokenCertificate> {
    const label = await findRequest(this.dataSource.manager, runId);
    const signer = label === undefined ? undefined : await this.certificates.forTokenKey(label);
    if (signer === undefined) throw new AppError('REPORT_SIGNER_MISSING', { run: runId, signer: label ?? '-' });
    return signer;
  }
}

function wholeSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1_000) * 1_000);
}
