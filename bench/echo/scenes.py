"""Rooms with a loudspeaker, a talker and a microphone, of which every part is known.

A scene is a folder: far.f32 (what the loudspeaker is given), mic.f32, and the parts of the latter, echo.f32, near.f32 and
noise.f32. With two loudspeakers far.f32 is half of their sum, and far2.f32 has both. Its clock: 0 to 0.5 s noise; to 12 s the far end; 12.2 to 20 s both; to 24 s the far end; at 24 s the room is
another one, or something else changes (EVENTS); to 32 s the far end; 33.2 to 39 s the near end alone; to 42 s noise.
"""
import glob, os, subprocess, zlib
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

SECONDS = 42
# Voices: Debian's prompts (asterisk-core-sounds-*-g722), else espeak-ng.
PROMPTS = {'en': 'en_US_f_Allison', 'es': 'es_MX_f_Allison', 'fr': 'fr_CA_f_June', 'ru': 'ru_RU_f_IvrvoiceRU'}
SPOKEN = [
    'The quick brown fox jumps over the lazy dog while seven wizards watch from the hill.',
    'Please send the report before Thursday, because the board will meet on Friday morning.',
    'I was thinking that we could move the meeting to half past three if nobody objects.',
    'She sells sea shells by the sea shore, and the shells she sells are surely sea shells.',
    'When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow.',
    'Our new office has four rooms, two kitchens and a terrace that looks over the harbour.',
]
PAIRS = [('en', 'ru'), ('fr', 'en'), ('es', 'fr'), ('ru', 'es')]

BASE = dict(reverberation=.4, snr=35, distortion=.02, near_db=0, late_ms=0, ppm=0, distance=.6, far=None, near=None, echo_db=0,
            event='another room', stereo=None)
SCENES = {
    'base': {}, 'dry room': dict(reverberation=.2), 'live room': dict(reverberation=.7), 'noisy': dict(snr=20),
    'no distortion': dict(distortion=0, snr=40), 'near end 6 dB louder': dict(near_db=6),
    'near end 6 dB softer': dict(near_db=-6), 'laptop': dict(near_db=-10, distortion=.03, distance=.25),
    'echo 1 ms late': dict(late_ms=1), 'echo 5 ms late': dict(late_ms=5), 'echo 20 ms late': dict(late_ms=20),
    'echo 100 ms late': dict(late_ms=100), 'echo 1 ms early': dict(late_ms=-1), 'echo 5 ms early': dict(late_ms=-5),
    'clock 5 ppm off': dict(ppm=5), 'clock 50 ppm off': dict(ppm=50), 'music': dict(far='music'),
    'male voices': dict(far='en-us', near='en-gb'), 'headset': dict(echo_db=-200),
}
# At 24 s the loudspeaker becomes 12 dB louder or softer, or it is switched on again after 3 s. The room stays the same.
EVENTS = {
    'volume 12 dB up': dict(event='louder'), 'volume 12 dB down': dict(event='softer'),
    'loudspeaker off from 21 to 24 s': dict(event='off'), 'distortion of 10 %': dict(distortion=.1),
}
# Two loudspeakers: one voice, louder at the left; two voices, left and right; music, half of which both have in common.
STEREO = {
    'one voice, 6 dB louder at the left': dict(stereo='panned'), 'two voices, left and right': dict(stereo='apart'),
    'stereo music': dict(far='music', stereo='half'),
}
GROUPS = {'rooms': SCENES, 'events': EVENTS, 'stereo': STEREO}


def trimmed(sound, rate):
    n = rate // 100
    level = np.array([np.sqrt(np.mean(sound[i:i + n] ** 2)) for i in range(0, len(sound) - n, n)])
    loud = np.where(level > 0.01 * max(level.max(initial=0), 1e-9))[0]
    return sound[loud[0] * n:(loud[-1] + 1) * n] if len(loud) else sound[:0]


def decoded(path):
    command = ['ffmpeg', '-v', 'quiet', '-i', path, '-ac', '1', '-ar', '16000', '-f', 'f32le', '-']
    return np.frombuffer(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout, np.float32)


def voice(name, folder):
    """All that it says, in parts, 16 kHz."""
    path = f'{folder}/{name}.npz'
    if not os.path.exists(path):
        parts = []
        for file in sorted(glob.glob(f'/usr/share/asterisk/sounds/{PROMPTS.get(name, "-")}/**/*.g722', recursive=True)):
            wanted = not any(part in file for part in ('/silence/', 'tt-', 'beep', 'tone', 'monkey'))
            if wanted and os.path.getsize(file) >= 12000:
                parts.append(trimmed(decoded(file), 16000))
        for i, text in enumerate(SPOKEN if not parts else []):
            wav = f'{folder}/said.wav'
            speaker = {'en': 'en-us+f3', 'ru': 'ru+f2', 'fr': 'fr+f4', 'es': 'es+f5'}.get(name, name)
            subprocess.run(['espeak-ng', '-v', speaker, '-p', str(30 + 5 * i), '-s', str(145 + 8 * i), '-w', wav, text], check=True)
            parts.append(trimmed(decoded(wav), 16000))
        np.savez(path, *[part for part in parts if len(part) > 8000])
    with np.load(path) as kept:
        return [kept[key] for key in kept.files]


def speech(name, random, rate, folder):
    said = voice(name, folder)
    parts, length, order = [], 0, random.permutation(len(said))
    while length < SECONDS * 16000:
        part = said[order[len(parts) // 2 % len(order)]].astype(float)
        part *= 0.05 / np.sqrt(np.mean(part ** 2))
        pause = np.zeros(int(16000 * random.uniform(.05, .45)))
        parts += [part, pause]
        length += len(part) + len(pause)
    sound = np.concatenate(parts)[:SECONDS * 16000]
    if rate == 16000:
        return sound
    # The prompts end at 7 kHz: above, noise follows the envelope of 4 to 7 kHz, as fricatives do.
    sound = resample_poly(sound, rate, 16000)[:SECONDS * rate]
    band = sosfilt(butter(4, [4000, 7000], 'band', fs=rate, output='sos'), sound)
    envelope = np.sqrt(np.maximum(sosfilt(butter(2, 60, 'low', fs=rate, output='sos'), band ** 2), 0))
    high = butter(6, [6800, 16000], 'band', fs=rate, output='sos')
    return sound + sosfilt(high, random.standard_normal(len(sound))) * envelope * 0.7


def music(random, rate):
    """Chords, a bass line and bursts of noise."""
    n = SECONDS * rate
    sound, t, beat = np.zeros(n), np.arange(int(1.2 * rate)) / rate, 0.3
    def add(at, tone):
        count = min(len(tone), n - at)
        sound[at:at + count] += tone[:count]
    for b in range(int(SECONDS / beat)):
        at = int(b * beat * rate)
        for _ in range(3 if b % 2 == 0 else 1):
            f = 220 * 2 ** ((random.choice([0, 3, 5, 7, 10]) + 12 * random.integers(0, 2)) / 12)
            tone = sum(np.sin(2 * np.pi * f * h * t * (1 + 1e-4 * h) + random.uniform(0, 6.28)) / h ** 1.2
                       for h in range(1, 12) if f * h < .45 * rate)
            add(at, tone * np.exp(-t * random.uniform(2, 5)) * 0.3)
        if b % 4 == 0:
            f = 55 * 2 ** (random.choice([0, 3, 5, 7, 10]) / 12)
            add(at, 0.8 * np.sin(2 * np.pi * f * t) * np.exp(-3 * t))
        if b % 2 == 1:
            add(at, random.standard_normal(len(t)) * np.exp(-t * 40) * 0.5)
    return sound * (0.05 / np.sqrt(np.mean(sound ** 2)))


def room(reverberation, rate, random, distance):
    """Image sources of a box (Allen and Berkley 1979) up to 110 ms, then a diffuse tail of the same level."""
    size, c, reach = np.array([4.2, 5.3, 2.7]) * random.uniform(.9, 1.1, 3), 343.0, 0.11
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    reflected = np.sqrt(np.exp(-0.161 * size.prod() / (surface * reverberation)))
    source = np.array([random.uniform(1.2, size[0] - 1.2), random.uniform(1.2, size[1] - 1.2), .85])
    angle = random.uniform(0, 2 * np.pi)
    ear = np.clip(source + distance * np.array([np.cos(angle), np.sin(angle), .15]), .2, size - .2)
    most = np.ceil(c * reach / (2 * size)).astype(int)
    cells = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in most], indexing='ij'), -1).reshape(-1, 3)
    n = int(min(1.0, reverberation * 1.1 + .05) * rate)
    h = np.zeros(n + 64)
    for corner in range(8):
        q = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
        far = np.linalg.norm((1 - 2 * q) * source + 2 * cells * size - ear, axis=1)
        near = far < c * reach
        walls = (np.abs(cells - q).sum(1) + np.abs(cells).sum(1))[near]
        level, at = reflected ** walls / (4 * np.pi * far[near]), far[near] / c * rate
        first = np.floor(at).astype(int) - 15
        for k in range(32):
            i, x = first + k, first + k - at
            window = np.where(np.abs(x) < 16, .5 + .5 * np.cos(np.pi * x / 16), 0)
            inside = (i >= 0) & (i < len(h))
            h += np.bincount(i[inside], (level * np.sinc(x) * window)[inside], len(h))
    h = sosfilt(butter(2, 100, 'high', fs=rate, output='sos'), h[:n])
    a, b = int(.09 * rate), int(.11 * rate)
    level, t = np.sqrt(np.mean(h[a:int(.108 * rate)] ** 2)), np.arange(n) / rate
    tail = random.standard_normal(n) * level * 10 ** (-3 * (t - .1) / reverberation)
    over = np.clip((np.arange(n) - a) / (b - a), 0, 1)
    return h * np.sqrt(1 - over) + tail * np.sqrt(over)


def loudspeaker(sound, rate, distortion):
    """A small one: distortion of second and third order, about `distortion` in its loud parts."""
    if distortion > 0:
        loud = np.percentile(np.abs(sound[sound != 0]), 99)
        u, bend = sound / loud, np.sqrt(9.6 * distortion)
        sound = np.tanh(bend * (u + 1.2 * distortion * u * u)) / bend * loud
    return sosfilt(butter(2, [160, min(.45 * rate, 15000)], 'band', fs=rate, output='sos'), sound)


def moved(sound, rate, ms, ppm):
    """Later by `ms`, on a clock that runs `ppm` fast."""
    n = len(sound)
    t = np.arange(n) * (1 - ppm * 1e-6) - ms * 1e-3 * rate
    first, out = np.floor(t).astype(int), np.zeros(n)
    for k in range(-15, 17):
        i, x = first + k, k - (t - first)
        inside = (i >= 0) & (i < n)
        out[inside] += sound[i[inside]] * (np.sinc(x) * (.5 + .5 * np.cos(np.pi * x / 16.5)))[inside]
    return out


def build(name, seed, rate, folder):
    """Makes the scene unless it is there; returns its folder."""
    scene = f'{folder}/{rate}/{name}.{seed}'
    if os.path.exists(f'{scene}/mic.f32'):
        return scene
    o = {**BASE, **{**SCENES, **EVENTS, **STEREO}[name]}
    number = zlib.crc32(f'{name}{seed}'.encode())
    random = np.random.default_rng(number)
    far_voice, near_voice = PAIRS[(seed + zlib.crc32(name.encode())) % 4]
    n, at = SECONDS * rate, lambda seconds: int(seconds * rate)
    def sound(says):
        made = music(random, rate) if o['far'] == 'music' else speech(says, random, rate, folder)
        made = np.clip(made * (.08 / np.sqrt(np.mean(made ** 2))), -1, 1)
        made[at(32):] = 0
        made[:at(.5)] = 0
        return made
    fars = [sound(o['far'] or far_voice)]
    near = speech(o['near'] or near_voice, random, rate, folder)
    talks = np.zeros(n)
    talks[at(12.2):at(20)] = talks[at(33.2):at(39)] = 1
    first, second, talker = (room(o['reverberation'], rate, random, o['distance'] * k) for k in (1, 1.3, 1))
    rooms = [(first, second)]
    if o['stereo']:
        other = fars[0] / 2 if o['stereo'] == 'panned' else sound(near_voice)
        fars = [fars[0], other] if o['stereo'] != 'half' else [(2 * fars[0] + other) / 3, (2 * other + fars[0]) / 3]
        rooms.append(tuple(room(o['reverberation'], rate, random, o['distance'] * k) for k in (1.1, 1.4)))
    echo = np.zeros(n)
    for far, (first, second) in zip(fars, rooms):
        if o['event'] != 'another room':
            second = first
        second = second * np.sqrt(np.sum(first ** 2) / np.sum(second ** 2))
        played = loudspeaker(far, rate, o['distortion'])
        if o['late_ms'] or o['ppm']:
            played = moved(played, rate, o['late_ms'], o['ppm'])
        before, after = played.copy(), played.copy()
        before[at(24):] = 0
        after[:at(24)] = 0
        if o['event'] == 'off':
            before[at(21):] = 0
        after *= {'louder': 4, 'softer': .25}.get(o['event'], 1)
        echo += fftconvolve(before, first)[:n] + fftconvolve(after, second)[:n]
    near = fftconvolve(near * talks, talker)[:n]
    both = slice(at(12.5), at(20))
    echo *= .8 * np.sqrt(1e-3 / np.mean(echo[both] ** 2))
    power = np.mean(echo[both] ** 2)
    near *= np.sqrt(power / np.mean(near[both] ** 2)) * 10 ** (o['near_db'] / 20)
    white = random.standard_normal(n)
    hiss = sosfilt(butter(1, 400, 'low', fs=rate, output='sos'), white) * 3 + .3 * white
    hiss = sosfilt(butter(2, 70, 'high', fs=rate, output='sos'), hiss)
    noise = hiss * np.sqrt(power / np.mean(hiss ** 2)) * 10 ** (-o['snr'] / 20)
    echo *= 10 ** (o['echo_db'] / 20)
    os.makedirs(scene, exist_ok=True)
    parts = dict(far=np.mean(fars, axis=0), echo=echo, near=near, noise=noise, mic=echo + near + noise)
    if o['stereo']:
        parts['far2'] = np.stack(fars, axis=1)
    for part, samples in parts.items():
        samples.astype(np.float32).tofile(f'{scene}/{part}.f32')
    return scene
