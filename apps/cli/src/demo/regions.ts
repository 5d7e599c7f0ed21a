/** Regions of the demonstration (GB/T 2260): where its institutions stand. Those registered already are left as they are. */
export const REGIONS: readonly { readonly code: string; readonly name: string; readonly city?: string }[] = [
  { code: '110000', name: '北京市' },
  ...Object.entries({ 110101: '东城区', 110102: '西城区', 110105: '朝阳区', 110108: '海淀区', 110112: '通州区' }).map(([code, name]) => ({ code, name, city: '110000' })),
];
