import type { ChildProcess } from 'node:child_process';

/** Lets this process exit while the child runs. The stream decides whether the process stays alive. */
export function unrefChild(child: ChildProcess, timer: NodeJS.Timeout): void {
  const { stdin, stdout, stderr } = child;
  for (const handle of [child, stdin, stdout, stderr, timer]) {
    (handle as { unref?: () => void } | null)?.unref?.();
  }
}

/** Ends the child, unless it has ended. Resolves when it has, so that its device is free. */
export async function endChild(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((resolve) => {
    child.ref();
    child.once('exit', () => resolve());
    end();
    child.stdout?.resume();
  });
}
