import type { KeyObject } from 'node:crypto';
import { importPublicKey } from '#libs/signature';
import type { CardStatusView, CertificateView, StatusSnapshot } from '../domain/status-snapshot.js';

export interface KnownCertificate {
  readonly view: CertificateView;
  /** Undefined when its key cannot be imported: no signature by it verifies. */
  readonly key: KeyObject | undefined;
}

/** A snapshot made ready for look-ups: certificates by issuer and serial with their keys imported once, cards by number. */
export class StatusIndex {
  private readonly certificates = new Map<string, CertificateView>();
  private readonly keys = new Map<CertificateView, KeyObject | undefined>();
  private readonly cards: ReadonlyMap<string, CardStatusView>;

  constructor(snapshot: StatusSnapshot) {
    for (const view of snapshot.certificates) this.certificates.set(`${view.issuerHash}:${view.serial}`, view);
    this.cards = new Map(snapshot.cards.map((card) => [card.cardNo, card]));
  }

  certificate(issuerHash: string, serial: string): KnownCertificate | undefined {
    const view = this.certificates.get(`${issuerHash}:${serial}`);
    if (view === undefined) return undefined;
    if (!this.keys.has(view)) this.keys.set(view, importPublicKey(view.publicKey));
    return { view, key: this.keys.get(view) };
  }

  card(cardNo: string): CardStatusView | undefined {
    return this.cards.get(cardNo);
  }
}
