import { Injectable } from '@nestjs/common';
import { type CardStatusView as RegisteredCard, CardHistory } from '#libs/cards';
import { type CertificateView as RegisteredCertificate, CertificateHistory } from '#libs/pki';
import { Clock } from '#libs/platform';
import type { CardStatusView, CertificateView, StatusSnapshot } from './domain/status-snapshot.js';
import { StatusSnapshotSource } from './status-snapshot-source.js';

/** The snapshot out of our own registers: certificates with chain and status, cards with their history. */
@Injectable()
export class RegisterSnapshotSource extends StatusSnapshotSource {
  constructor(
    private readonly certificates: CertificateHistory,
    private readonly cards: CardHistory,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async take(): Promise<StatusSnapshot> {
    const takenAtMs = this.clock.now().getTime();
    return {
      takenAtMs,
      certificates: (await this.certificates.load()).map(certificateOf),
      cards: (await this.cards.load()).map(cardOf),
    };
  }
}

function certificateOf(view: RegisteredCertificate): CertificateView {
  const { chainNotBefore, chainNotAfter } = view;
  return {
    issuerHash: view.issuerHash,
    serial: view.serial,
    publicKey: view.publicKey,
    notBeforeMs: view.notBefore.getTime(),
    notAfterMs: view.notAfter.getTime(),
    chain:
      !view.chainValid || chainNotBefore === undefined || chainNotAfter === undefined
        ? undefined
        : { notBeforeMs: chainNotBefore.getTime(), notAfterMs: chainNotAfter.getTime() },
    holder: view.holder,
    revokedAtMs: view.revokedAt?.getTime(),
    statusKnownUntilMs: view.statusKnownUntil?.getTime(),
  };
}

function cardOf(view: RegisteredCard): CardStatusView {
  return {
    cardNo: view.cardNumber,
    activeFromMs: view.intervals[0]?.from.getTime() ?? Number.MAX_SAFE_INTEGER,
    cancelledAtMs: view.intervals.find(({ status }) => status === 'cancelled')?.from.getTime(),
  };
}
