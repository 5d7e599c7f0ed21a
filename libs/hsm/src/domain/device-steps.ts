import type { Bilingual } from '#libs/platform/domain';

/** What is done step by step with a device, version 1 of each list; the record keeps who did which and when. */
export const DEVICE_STEPS: Readonly<Record<'onboarding' | 'firmware' | 'replacement' | 'return', readonly { readonly step: string; readonly text: Bilingual }[]>> = {
  onboarding: [
    { step: 'onboarding.unpack', text: { zh: '核对封条、序列号与商用密码产品认证证书', en: 'Compare seals, serial number and product certificate' } },
    { step: 'onboarding.configure', text: { zh: '写入 HSM 配置（机房、分组、厂商型号），PIN 文件 0400', en: 'Enter it in the HSM configuration (site, group, vendor profile), PIN file 0400' } },
    { step: 'onboarding.probe', text: { zh: '运行 ./hufu doctor hsm，核对能力与强制项', en: 'Run ./hufu doctor hsm and compare capabilities and enforcement' } },
    { step: 'onboarding.answers', text: { zh: '标准答案全部正确后投入使用', en: 'Take it into use when every known answer is right' } },
  ],
  firmware: [
    { step: 'firmware.approve', text: { zh: '变更已审批，同组其他设备在线', en: 'The change is approved, the other devices of the group are up' } },
    { step: 'firmware.change', text: { zh: '升级固件并记录版本', en: 'Change the firmware and note the version' } },
    { step: 'firmware.compare', text: { zh: '查看配置快照差异，重新运行标准答案', en: 'Read the difference of the configuration snapshots, run the known answers again' } },
  ],
  replacement: [
    { step: 'replacement.compare', text: { zh: '双人核对封条、序列号与更换单', en: 'Two persons compare seals, serial number and the order of replacement' } },
    { step: 'replacement.unpin', text: { zh: '在密码机主机上删除该设备的令牌固定记录', en: 'On the HSM host, remove the pin of the device’s token' } },
    { step: 'replacement.copies', text: { zh: '新令牌登录后重新复制密钥并核对指纹', en: 'After its login copy the keys to it again and compare fingerprints' } },
  ],
  return: [
    { step: 'return.copies', text: { zh: '确认每个密钥在其他设备上仍有两份', en: 'Make sure that two other devices hold every key' } },
    { step: 'return.destroy', text: { zh: '销毁设备中的全部密钥并清零', en: 'Destroy every key in it and zeroise' } },
    { step: 'return.remove', text: { zh: '从 HSM 配置中删除，记录运单', en: 'Take it out of the HSM configuration, note the shipment' } },
  ],
};

export const NOTE_STEP = 'patrol';
const KNOWN_STEPS = new Set([NOTE_STEP, ...Object.values(DEVICE_STEPS).flatMap((steps) => steps.map(({ step }) => step))]);

export function isDeviceStep(step: string): boolean {
  return KNOWN_STEPS.has(step);
}
