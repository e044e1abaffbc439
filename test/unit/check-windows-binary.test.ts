import { describe, expect, test } from 'vitest';

import { faultsOf } from '../../scripts/check-windows-binary.mjs';

const headers = `
patchcord.node:     file format pei-x86-64
DllCharacteristics\t00000160
\tDLL Name: KERNEL32.dll
\tDLL Name: ole32.dll
`;
const code = `
   1c834c071:\tc5 fc 11 7c 24 20    \tvmovups %ymm7,0x20(%rsp)
   1c834c077:\t0f 29 74 24 20       \tmovaps %xmm6,0x20(%rsp)
   1c834c07d:\tc5 fc 29 07          \tvmovaps %ymm0,(%rdi)
`;

test('an addon that loads everywhere has no fault', () => {
  expect(faultsOf(headers, code)).toEqual([]);
});

describe('a fault is found', () => {
  test.each([
    ['another library', 'imports libstdc++-6.dll', `${headers}\tDLL Name: libstdc++-6.dll\n`, code],
    ['a fixed address', 'is without DYNAMIC_BASE', headers.replace('0160', '0120'), code],
    ['32 bits of addresses', 'is without HIGH_ENTROPY_VA', headers.replace('0160', '0140'), code],
    ['data that runs', 'is without NX_COMPAT', headers.replace('0160', '0060'), code],
    ['another machine', 'is not for x64', headers.replace('pei-x86-64', 'pei-i386'), code],
    ['an aligned store', 'moves an aligned vector', headers, '1:\tvmovaps %ymm7,0x20(%rsp)\n'],
    ['an aligned load', 'moves an aligned vector', headers, '1:\tvmovdqa64 -0x40(%rbp),%zmm7\n'],
  ])('%s', (_case, fault, given, assembly) => {
    const faults = faultsOf(given, assembly);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });
});
