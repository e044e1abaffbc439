/** How a device is connected. `unknown` if the system does not say. */
export type DeviceTransport = (typeof deviceTransports)[number];

export const deviceTransports = [
  'builtin',
  'usb',
  'bluetooth',
  'hdmi',
  'network',
  'virtual',
  'unknown',
] as const;
