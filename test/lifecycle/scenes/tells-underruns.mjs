// Plays a tone into a virtual microphone, and prints its environment and every underrun.
import { ToneSource, VirtualMicSink } from 'patchcord';

const print = (value) => console.log(JSON.stringify(value));
const sink = await VirtualMicSink.open({ backend: 'pulse', name: 'Late', latencyMs: 40 });
sink.on('underrun', ({ frames }) => print({ frames }));
new ToneSource({ frequency: 1300, gain: 0.25, durationMs: 3_600_000 }).pipe(sink);
print({ environment: sink.environment() });
