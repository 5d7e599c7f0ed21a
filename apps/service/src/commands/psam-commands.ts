import { z } from 'zod';
import type { JsonValue } from '#libs/platform';
import { Psam, PsamLot, PsamOrder, PsamVendor, SocketCardChannel } from '#libs/psam';
import { command, type Command } from './command.js';

const orderNo = z.string().max(64);

export const PSAM_COMMANDS: Readonly<Record<string, Command>> = {
  'psam.registerVendor': command(PsamVendor, async (app, vendor) => {
    await app.get(Psam).registerVendor(vendor);
    return null;
  }),
  'psam.receiveLot': command(PsamLot, async (app, lot) => (await app.get(Psam).receiveLot(lot)) as unknown as JsonValue),
  'psam.placeOrder': command(PsamOrder, async (app, order) => {
    await app.get(Psam).placeOrder(order);
    return null;
  }),
  /** `socket`: where the reader with the card listens. */
  'psam.personalise': command(z.strictObject({ orderNo, socket: z.string().min(1) }), async (app, args) => {
    const channel = await SocketCardChannel.open(args.socket);
    try {
      return (await app.get(Psam).personalise(args.orderNo, channel)) as unknown as JsonValue;
    } finally {
      await channel.close();
    }
  }),
  'psam.closeOrder': command(z.strictObject({ orderNo }), async (app, args) => (await app.get(Psam).closeOrder(args.orderNo)) as unknown as JsonValue),
  'psam.stock': command(z.strictObject({ lotNo: z.string().max(64) }), async (app, args) => (await app.get(Psam).stock(args.lotNo)) as unknown as JsonValue),
};
