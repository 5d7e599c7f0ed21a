/** General devices make pairs, sign, and hold the first copy of roots; diversification devices serve cards. */
export const DEVICE_GROUPS = ['general', 'diversification'] as const;
export type DeviceGroup = (typeof DEVICE_GROUPS)[number];
