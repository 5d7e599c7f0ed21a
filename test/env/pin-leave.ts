import type { Hsm } from '#libs/hsm';

/** Stands for the service of a host that nobody shares its tokens with: says yes to every PIN that waits for its first login. */
export async function givePinLeave(hsm: Hsm, seconds = 20): Promise<void> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const waiting = (await hsm.pinQuestions()).filter(({ state }) => state === 'awaited');
    for (const question of waiting) await hsm.answerPin(question, 'leave');
    if (waiting.length > 0) return;
    if (performance.now() > end) throw new Error(`no PIN waits for its leave within ${seconds} s`);
    await new Promise((next) => setTimeout(next, 25));
  }
}
