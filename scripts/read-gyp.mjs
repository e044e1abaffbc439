import { execSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Reads binding.gyp for an operating system by gyp's name for it ('linux', 'win', 'mac'), for compilers
 * that node-gyp does not drive: { name, sources, includeDirs, defines, cflags, cflagsCc, ldflags,
 * libraries }, paths relative to the repository, libraries as that system's compilers spell them.
 * Supports the syntax that binding.gyp uses (comments on separate lines, OS== conditions, `<!` commands)
 * and throws on anything else.
 */
export function readGyp(os) {
  const text = readFileSync(join(root, 'binding.gyp'), 'utf8').replace(/^\s*#.*$/gm, '');
  const [target] = JSON.parse(text).targets;
  const list = (key) =>
    [target, ...conditionals(target, os)]
      .flatMap((settings) => settings[key] ?? [])
      .flatMap(expand);
  return {
    name: target.target_name,
    sources: list('sources'),
    includeDirs: list('include_dirs'),
    defines: list('defines'),
    cflags: list('cflags'),
    cflagsCc: list('cflags_cc'),
    ldflags: list('ldflags'),
    libraries: list('libraries'),
  };
}

function conditionals(target, os) {
  return (target.conditions ?? []).flatMap(([condition, settings]) => {
    const [, wanted] = /^OS=='(\w+)'$/.exec(condition) ?? [];
    if (wanted === undefined)
      throw new Error(`binding.gyp: cannot read the condition ${condition}`);
    return wanted === os ? [settings] : [];
  });
}

function expand(text) {
  const value = text.replaceAll('<(module_root_dir)', root);
  const [, splice, command] = /^<!(@?)\((.*)\)$/.exec(value) ?? [];
  if (command === undefined) {
    if (value.includes('<(') || value.includes('<!')) {
      throw new Error(`binding.gyp: cannot read ${value}`);
    }
    return [value];
  }
  const output = execSync(command, { cwd: root, encoding: 'utf8' }).trim();
  return splice ? output.split(/\s+/) : [output];
}
