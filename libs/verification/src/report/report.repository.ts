import type { EntityManager } from 'typeorm';

type Sql = Pick<EntityManager, 'query'>;

export interface ReportIntent {
  readonly runId: string;
  readonly signingTime: Date;
  /** DER. */
  readonly signerCertificate: Uint8Array;
  readonly font: { readonly name: string; readonly face: string; readonly sha256: string };
  readonly pdfDigest: string;
  readonly jsonDigest: string;
  /** RFC 5652 5.4: the exact bytes that the key signs. */
  readonly pdfAttributes: Uint8Array;
  readonly jsonAttributes: Uint8Array;
}

export interface ReportOutcome {
  readonly pdfCmsDigest: string;
  readonly jsonCmsDigest: string;
}

export async function insertRequest(tx: Sql, runId: string, signerLabel: string, at: Date, entryId: string): Promise<void> {
  await tx.query('INSERT INTO report_request (run_id, signer_label, requested_at, entry_id) VALUES ($1, $2, $3, $4)', [runId, signerLabel, at, entryId]);
}

export async function findRequest(db: Sql, runId: string): Promise<string | undefined> {
  const rows: { signer_label: string }[] = await db.query('SELECT signer_label FROM report_request WHERE run_id = $1', [runId]);
  return rows[0]?.signer_label;
}

/** Runs that are done, whose report was asked for and is not there yet; oldest first. */
export async function findOpenRequests(db: Sql): Promise<string[]> {
  const rows: { run_id: string }[] = await db.query(
    `SELECT q.run_id FROM report_request q
     JOIN verification_result v ON v.run_id = q.run_id
     WHERE NOT EXISTS (SELECT 1 FROM report r WHERE r.run_id = q.run_id)
     ORDER BY q.requested_at LIMIT 10`,
  );
  return rows.map((row) => row.run_id);
}

export async function insertIntent(tx: Sql, intent: ReportIntent, entryId: string): Promise<void> {
  await tx.query(
    `INSERT INTO report_intent (run_id, signing_time, signer_certificate, font_name, font_face, font_sha256,
       pdf_digest, json_digest, pdf_attributes, json_attributes, entry_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      intent.runId, intent.signingTime, Buffer.from(intent.signerCertificate), intent.font.name, intent.font.face, intent.font.sha256,
      intent.pdfDigest, intent.jsonDigest, Buffer.from(intent.pdfAttributes), Buffer.from(intent.jsonAttributes), entryId,
    ],
  );
}

export async function findIntent(db: Sql, runId: string): Promise<ReportIntent | undefined> {
  const [row]: {
    signing_time: Date; signer_certificate: Buffer; font_name: string; font_face: string; font_sha256: string;
    pdf_digest: string; json_digest: string; pdf_attributes: Buffer; json_attributes: Buffer;
  }[] = await db.query('SELECT * FROM report_intent WHERE run_id = $1', [runId]);
  return row === undefined
    ? undefined
    : {
        runId,
        signingTime: row.signing_time,
        signerCertificate: row.signer_certificate,
        font: { name: row.font_name, face: row.font_face, sha256: row.font_sha256 },
        pdfDigest: row.pdf_digest,
        jsonDigest: row.json_digest,
        pdfAttributes: row.pdf_attributes,
        jsonAttributes: row.json_attributes,
      };
}

export async function insertOutcome(tx: Sql, runId: string, outcome: ReportOutcome, entryId: string): Promise<void> {
  await tx.query('INSERT INTO report (run_id, pdf_cms_digest, json_cms_digest, entry_id) VALUES ($1, $2, $3, $4)', [
    runId, outcome.pdfCmsDigest, outcome.jsonCmsDigest, entryId,
  ]);
}

export async function findOutcome(db: Sql, runId: string): Promise<ReportOutcome | undefined> {
  const [row]: { pdf_cms_digest: string; json_cms_digest: string }[] = await db.query(
    'SELECT pdf_cms_digest, json_cms_digest FROM report WHERE run_id = $1',
    [runId],
  );
  return row === undefined ? undefined : { pdfCmsDigest: row.pdf_cms_digest, jsonCmsDigest: row.json_cms_digest };
}

/** Names of institutions that are registered, by code. */
export async function findInstitutionNames(db: Sql, codes: readonly string[]): Promise<Map<string, string>> {
  const rows: { code: string; name: string }[] = await db.query('SELECT code, name FROM institution WHERE code = ANY($1)', [codes]);
  return new Map(rows.map((row) => [row.code, row.name]));
}
