"""measure.py JOB: runs echo cancellers over scenes and prints what they did, as JSON.

JOB is a JSON file: { folder, rates: { RATE: [SEED...] }, scenes: [NAME...] or null, engines: { NAME: [COMMAND...] } }. A
command gets RATE FAR MICROPHONE OUT and prints { "cpu": seconds, "heldMs": what its output leaves out of its delay }. One
that ends with "stereo" gets a far end of two channels; the scenes with one channel are left out for it.
"""
import json, os, struct, subprocess, sys, wave, zlib
import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.ndimage import gaussian_filter
from scipy.signal import butter, fftconvolve, sosfilt
import scenes

db = lambda power: 10 * np.log10(np.maximum(power, 1e-14))
read = lambda path: np.fromfile(path, np.float32).astype(float)


def powers(sound, n):
    m = len(sound) // n
    return (sound[:m * n].reshape(m, n) ** 2).mean(1)


def fitted(wanted, out, taps):
    """The short filter that makes `out` of `wanted` best: fixed filtering, such as a high-pass, is no distortion."""
    n = 1 << int(np.ceil(np.log2(2 * len(wanted))))
    spectrum = np.fft.rfft(wanted, n)
    own = np.fft.irfft(np.abs(spectrum) ** 2, n)[:taps]
    both = np.fft.irfft(np.conj(spectrum) * np.fft.rfft(out, n), n)[:taps]
    own[0] *= 1 + 1e-6
    return solve_toeplitz(own, both)


def spectrogram(sound, n):
    frames = np.lib.stride_tricks.sliding_window_view(sound, n)[::n // 2]
    return np.abs(np.fft.rfft(frames * np.hanning(n), axis=1)) ** 2


def bark_bands(rate, n, count, low, high):
    bark = lambda f: 26.81 * f / (1960 + f) - .53
    edges, at = np.linspace(bark(low), bark(high), count + 2), bark(np.arange(n // 2 + 1) * rate / n)
    return np.array([np.maximum(0, np.minimum((at - edges[i]) / (edges[i + 1] - edges[i]),
                                              (edges[i + 2] - at) / (edges[i + 2] - edges[i + 1]))) for i in range(count)])


def similarity(wanted, out, rate):
    """As ViSQOL: structural similarity of the spectrograms in Bark bands, where somebody talks. 1: the same."""
    n = rate // 50
    bands = bark_bands(rate, n, 24, 100, min(7600, rate * .48))
    a, b = (db(spectrogram(sound, n) @ bands.T + 1e-10) for sound in (wanted, out))
    floor = a.max() - 50
    a, b = np.maximum(a, floor) - floor, np.maximum(b, floor) - floor
    smooth = lambda x: gaussian_filter(x, (1, 1))
    ma, mb = smooth(a), smooth(b)
    va, vb, both = smooth(a * a) - ma ** 2, smooth(b * b) - mb ** 2, smooth(a * b) - ma * mb
    c1, c3 = .5 ** 2, 1.5 ** 2 / 2
    alike = (2 * ma * mb + c1) / (ma ** 2 + mb ** 2 + c1) * (both + c3) / (np.sqrt(np.maximum(va * vb, 0)) + c3)
    talks = a.mean(1) > .25 * a.mean(1).max()
    return float(alike[talks].mean())


def measured(scene, out, rate):
    mic, echo, near = (read(f'{scene}/{part}.f32') for part in ('mic', 'echo', 'near'))
    out, step = out[:len(mic)], rate // 100
    between = lambda a, b: slice(int(a * rate), int(b * rate))
    # How late the engine is, and what it does to a voice alone.
    alone, taps = between(33.5, 39), int(.01 * rate)
    size = 1 << int(np.ceil(np.log2(2 * len(near[alone]))))
    common = np.fft.irfft(np.fft.rfft(out[alone], size) * np.conj(np.fft.rfft(near[alone], size)), size)
    late = int(np.argmax(np.abs(common[:int(.04 * rate)])))
    own, moved = np.roll(near, -(taps // 2)), np.roll(out, -late)
    response = fitted(own[alone], moved[alone], taps)
    late += int(np.argmax(np.abs(response))) - taps // 2
    result = dict(delay=late * 1e3 / rate)

    echoes, before = powers(echo, step), powers(mic, step)
    after = powers(np.roll(out, -round(late / step) * step), step)
    level = np.full(len(echoes), echoes[150:1200].mean())
    if echoes[2400:3200].mean() < level[0] / 4:
        level[2400:] = echoes[2400:3200].mean()  # the loudspeaker is softer from there on
    sounds = echoes > level * .05

    def erle(a, b):
        at = np.arange(int(a * 100), int(b * 100))
        at = at[sounds[at]]
        return float(db(before[at].sum()) - db(after[at].sum())) if len(at) else 0.0
    for name, a, b in (('first', .5, 1.5), ('converged', 8, 12), ('afterTalk', 20.3, 21.3), ('room1', 24, 25),
                       ('room2', 25, 26), ('roomLater', 29, 32)):
        result[name] = erle(a, b)
    result['curve'] = [round(erle(.5 + .25 * i, .75 + .25 * i), 2) for i in range(126)]

    band = butter(2, [200, min(7000, .45 * rate)], 'band', fs=rate, output='sos')
    both = between(12.5, 20)
    wider = between(12, 20)  # the filters begin half a second before
    shaped = fftconvolve(own[wider], response)[:wider.stop - wider.start]
    wanted, got = (sosfilt(band, sound)[both.start - wider.start:] for sound in (shaped, moved[wider]))
    gain = np.dot(got, wanted) / np.dot(wanted, wanted)
    result['talker'] = float(db(np.sum((gain * wanted) ** 2)) - db(np.sum((got - gain * wanted) ** 2)))
    result['kept'] = float(20 * np.log10(max(1e-9, abs(gain))))
    result['alike'] = similarity(wanted, got, rate)
    quiet = between(34, 39)
    error = np.mean((np.roll(out, -late)[quiet] - mic[quiet]) ** 2)
    result['exact'] = bool(error == 0)
    return result


def save_wav(path, sound, rate):
    with wave.open(path, 'wb') as file:
        file.setparams((1, 2, rate, 0, 'NONE', ''))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype('<i2').tobytes())


def save_spectrograms(path, sounds, rate):
    """One above the other, 0 to 8 kHz, 70 dB from light to dark, as a PNG."""
    pictures = []
    for sound in sounds:
        power = db(spectrogram(sound, rate // 40))[:, :200][::3].T[::-1]
        pictures.append(255 - np.clip((power + 45) * 255 / 60, 0, 255).astype(np.uint8))
        pictures.append(np.full((4, pictures[-1].shape[1]), 255, np.uint8))
    all_rows = np.concatenate(pictures[:-1])
    rows = b''.join(b'\0' + row.tobytes() for row in all_rows)
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', all_rows.shape[1], all_rows.shape[0], 8, 0, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b''))


def main(job):
    folder = job['folder']
    os.makedirs(f'{folder}/listen', exist_ok=True)
    rows = []
    for rate, seeds in ((int(rate), seeds) for rate, seeds in job['rates'].items()):
        for group, name in ((group, name) for group, own in scenes.GROUPS.items() for name in own):
            if job['scenes'] and name not in job['scenes']:
                continue
            for seed in seeds:
                scene = scenes.build(name, seed, rate, folder)
                outs = {}
                for engine, command in job['engines'].items():
                    far = 'far2' if command[-1] == 'stereo' else 'far'
                    if not os.path.exists(f'{scene}/{far}.f32'):
                        continue
                    path = f'{scene}/out.f32'
                    arguments = [str(rate), f'{scene}/{far}.f32', f'{scene}/mic.f32', path]
                    told = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout
                    outs[engine] = read(path)
                    row = dict(rate=rate, group=group, scene=name, seed=seed, engine=engine,
                               **measured(scene, outs[engine], rate))
                    told = json.loads(told)
                    row['cpu'] = 100 * told['cpu'] / scenes.SECONDS
                    row['delay'] += told.get('heldMs', 0)
                    rows.append(row)
                print(f'{rate} {name} {seed}', file=sys.stderr)
                if name == 'base' and seed == seeds[0]:
                    mic = read(f'{scene}/mic.f32')
                    for engine, out in {'microphone': mic, **outs}.items():
                        save_wav(f'{folder}/listen/{rate}-{engine}.wav', 4 * out, rate)
                    if rate == 16000:
                        save_spectrograms(f'{folder}/spectrograms.png', [4 * mic, *[4 * out for out in outs.values()]], rate)
    json.dump(rows, sys.stdout)


main(json.load(open(sys.argv[1])))
