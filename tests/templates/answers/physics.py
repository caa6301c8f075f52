"""Recomputes the worked examples of Physics without the formula that the template teaches."""

from fractions import Fraction
from itertools import combinations
from math import cos, exp, isclose, pi, sin, sqrt

import sympy as sp

from tests.templates.recompute import recompute


def integral(function, low, high, parts=20_000):
    """Simpson's rule."""
    width = (high - low) / parts
    inner = sum((4 if i % 2 else 2) * function(low + i * width) for i in range(1, parts))
    return (function(low) + inner + function(high)) * width / 3


def crossing(function, low, high):
    """Zero of a function that rises from negative to positive, by bisection."""
    assert function(low) < 0 < function(high)
    for _step in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


@recompute("Energy balance with friction")
def _():
    # forces instead of energies: a constant acceleration along the incline
    acceleration = 10 * (Fraction(3, 5) - Fraction(3, 10) * Fraction(4, 5))
    return sqrt(2 * acceleration * 5)


@recompute("Elastic collision by reversed relative velocity")
def _():
    # turned round in the frame of the centre of mass
    centre = Fraction(3 * 4 + 1 * -2, 4)
    heavy, light = 2 * centre - 4, 2 * centre + 2
    assert 3 * heavy**2 + light**2 == 3 * 4**2 + 2**2
    return light


@recompute("Rolling without slipping")
def _():
    # on an incline of sine 3/5: m a = m g sin - F and F r = I a / r give the acceleration; the path is 1.2 / sin
    a, friction = sp.symbols("a friction")
    slope = sp.Rational(3, 5)
    motion = sp.solve([a - 10 * slope + friction, friction - a / 2], [a, friction])
    return sp.sqrt(2 * motion[a] * sp.Rational(6, 5) / slope)


@recompute("Angular momentum with changing inertia")
def _():
    # the friction between disc and lump: an impulse J slows the disc and speeds the lump up until both turn alike
    impulse = sp.Symbol("J")
    disc = 6 - impulse * sp.Rational(1, 2) / sp.Rational(1, 2)
    lump = impulse / (1 * sp.Rational(1, 2))
    return disc.subs(impulse, sp.solve(disc - lump, impulse)[0])


@recompute("Small oscillations from the curvature of the potential")
def _():
    # the time between turns of a small swing, integrated step by step (velocity Verlet)
    def acceleration(x):
        return (12 / x**2 - 3) / 0.75

    x, v, time, step, turns = 2.001, 0.0, 0.0, 1e-4, []
    while len(turns) < 2:
        half = v + acceleration(x) * step / 2
        x += half * step
        new = half + acceleration(x) * step / 2
        if v < 0 <= new or v > 0 >= new:
            turns.append(time + step * v / (v - new))
        v, time = new, time + step
    return round(pi / (turns[1] - turns[0]), 3)


@recompute("Standing waves from the boundary conditions")
def _():
    # frequencies at which a wave that goes to the closed end and back twice (one turn of sign each) meets itself
    period_of_path = 4 * 0.85 / 340
    found = [f for f in range(1, 2000) if isclose(cos(pi * f * period_of_path), -1, abs_tol=1e-12)]
    return found[2]


@recompute("Doppler shift of sound with moving source and observer")
def _():
    # arrival times of two crests, sent 1/800 s apart
    def arrival(sent):
        source, observer = 20 * sent, 1000
        return sent + (observer - 10 * sent - source) / Fraction(340 + 10)

    return 1 / (arrival(Fraction(1, 800)) - arrival(Fraction(0)))


@recompute("Two thin lenses in turn")
def _():
    # ray matrices; the image lies where the ray's height no longer depends on its angle
    b = sp.Symbol("b")

    def lens(f):
        return sp.Matrix([[1, 0], [sp.Rational(-1, f), 1]])

    def gap(d):
        return sp.Matrix([[1, d], [0, 1]])

    system = gap(b) * lens(20) * gap(40) * lens(20) * gap(30)
    return sp.solve(system[0, 1], b)[0]


@recompute("Thin-film interference with phase jumps")
def _():
    # the two reflected amplitudes added, nanometre by nanometre
    front, back = (1 - 1.33) / (1 + 1.33), (1.33 - 1) / (1.33 + 1)

    def intensity(t):
        phase = 2 * pi * 2 * 1.33 * t / 532
        return (front + back * cos(phase)) ** 2 + (back * sin(phase)) ** 2

    return max(range(190), key=intensity)


@recompute("Orders of a diffraction grating")
def _():
    # the orders for which the waves of neighbouring slits differ by whole wavelengths at some real angle
    return sum(abs(m * 600) <= 10**6 // 500 for m in range(-50, 51))


@recompute("Adiabatic process of an ideal gas")
def _():
    # the work as the area under p = c V^(-5/3), from the volume 1 to 1/8
    start = 8.314 * 300
    return round(integral(lambda volume: start * volume ** (-5 / 3), 0.125, 1.0), 4)


@recompute("Entropy change when bodies reach one temperature")
def _():
    # heat goes over in small portions
    cold, hot, entropy, portion = 200.0, 800.0, 0.0, 0.01
    while cold < hot:
        entropy += 400 * portion * (1 / (cold + portion / 2) - 1 / (hot - portion / 2))
        cold, hot = cold + portion, hot - portion
    return round(entropy, 1)


@recompute("Boltzmann populations with degeneracy")
def _():
    # jumps between the levels, three ways up for each way down, until the shares stay as they are
    up, down = exp(-2), 1.0
    ground = 1.0
    for _jump in range(4000):
        excited = 1 - ground
        ground += 0.01 * (down * excited - 3 * up * ground)
    return round(1 - ground, 3)


@recompute("Gauss's law with a symmetric charge")
def _():
    # Coulomb's law summed over thin discs: the field of a disc on its axis, through the whole ball
    density = 8e-9 / (4 / 3 * pi * 0.2**3)

    def disc(z):
        distance, radius2 = 0.1 - z, 0.04 - z * z
        side = 0.0 if distance == 0 else (1.0 if distance > 0 else -1.0)
        return 2 * pi * 9e9 * density * (side - distance / sqrt(distance**2 + radius2))

    return round(integral(disc, -0.2, 0.1) + integral(disc, 0.1, 0.2), 1)


@recompute("Image charge at a grounded conductor")
def _():
    # the pull of the charge that gathers on the plane, ring by ring; r = d tan(t)
    d, q = 0.3, 2e-6

    def ring(t):
        r = d * sin(t) / cos(t)
        density = q * d / (2 * pi * (r * r + d * d) ** 1.5)
        return 9e9 * q * density * 2 * pi * r * d / (r * r + d * d) ** 1.5 * d / cos(t) ** 2

    return round(integral(ring, 0.0, pi / 2 - 1e-6), 8)


@recompute("Rod sliding on rails in a magnetic field")
def _():
    # the power that heats the resistor comes from the pull
    swept_flux_per_second = Fraction(1, 2) * Fraction(2, 5) * 10
    return swept_flux_per_second**2 / 2 / 10


@recompute("Charging curve with a time constant")
def _():
    # charge flows in small steps of time
    voltage, time, step = 0.0, 0.0, 1e-6
    while voltage < 9:
        middle = voltage + (12 - voltage) / 2000 / 50e-6 * step / 2
        voltage += (12 - middle) / 2000 / 50e-6 * step
        time += step
    return round(time, 3)


@recompute("Time dilation of a moving particle")
def _():
    # invariant interval: (c t)^2 - x^2 = (c tau)^2 with x = 0.6 c t
    flown = crossing(lambda x: (x / 0.6) ** 2 - x**2 - (3e8 * 2.2e-6) ** 2, 1.0, 10_000.0)
    return round(flown, 6)


@recompute("Relativistic addition of velocities")
def _():
    # two Lorentz boosts as matrices, scaled so that no root appears
    def boost(v):
        return sp.Matrix([[1, v], [v, 1]])

    time, place = boost(sp.Rational(3, 5)) * boost(sp.Rational(1, 2)) * sp.Matrix([1, 0])
    return place / time


@recompute("Two-body decay at rest")
def _():
    return crossing(lambda p: sqrt(25 + p * p) + sqrt(81 + p * p) - 28, 0.0, 28.0)


@recompute("Threshold energy by the invariant mass")
def _():
    # go to the frame of the centre of mass: two protons of 1.25 each, then back to the rest of one of them
    gamma = Fraction(5, 4)
    speed2 = 1 - 1 / gamma**2
    return gamma**2 * (1 + speed2) - 1


@recompute("Compton shift of a photon")
def _():
    # energy and momentum conservation in units of the electron mass, with the photon leaving across
    before = 2.43 / 5.00

    def excess(after):
        electron = sqrt(1 + before**2 + after**2)
        return after + electron - before - 1

    return round(2.43 / crossing(excess, 1e-9, before), 2)


@recompute("Q value from masses")
def _():
    # measured binding energies in MeV: helium-4, tritium, deuterium
    return round(28.296 - 8.482 - 2.225, 1)


@recompute("Allowed or forbidden by conservation laws")
def _():
    # (charge, baryon number, electron number, muon number)
    numbers = {
        "n": (0, 1, 0, 0), "p": (1, 1, 0, 0), "e-": (-1, 0, 1, 0), "anti-nu_e": (0, 0, -1, 0),
        "mu-": (-1, 0, 0, 1), "mu+": (1, 0, 0, -1), "nu_mu": (0, 0, 0, 1), "pi+": (1, 0, 0, 0), "gamma": (0, 0, 0, 0),
    }  # fmt: skip
    decays = {"A": ("n", ["p", "e-", "anti-nu_e"]), "B": ("mu-", ["e-", "gamma"]), "C": ("pi+", ["mu+", "nu_mu"])}

    def total(names):
        return tuple(map(sum, zip(*(numbers[name] for name in names), strict=True)))

    (forbidden,) = [letter for letter, (one, products) in decays.items() if total([one]) != total(products)]
    return forbidden


@recompute("Radiometric age from the daughter-to-parent ratio")
def _():
    parents, daughters, age = 4096, 0, Fraction(0)
    while daughters < 7 * parents:
        parents, daughters, age = parents // 2, daughters + parents // 2, age + Fraction(5, 4)
    assert daughters == 7 * parents
    return age


@recompute("Expectation values of a spin-1/2 state")
def _():
    state = sp.Matrix([3, 4 * sp.I]) / 5
    spin = sp.Matrix([[0, -sp.I], [sp.I, 0]]) / 2
    return (state.H * spin * state)[0]


@recompute("Energies of a two-level Hamiltonian")
def _():
    return min(sp.Matrix([[5, 4], [4, -1]]).eigenvals())


@recompute("First-order energy shift by perturbation")
def _():
    return round(0.2 * integral(lambda x: 2 * sin(pi * x) ** 2, 0.25, 0.75), 3)


@recompute("Oscillator averages by ladder operators")
def _():
    # from the wave function psi = x exp(-x^2/2) in natural units
    x = sp.Symbol("x", real=True)
    density = x**2 * sp.exp(-(x**2))
    return sp.integrate(x**4 * density, (x, -sp.oo, sp.oo)) / sp.integrate(density, (x, -sp.oo, sp.oo))


@recompute("Coupled angular momenta by squaring the sum")
def _():
    root = sp.sqrt(2)
    one = [
        sp.Matrix([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / root,
        sp.Matrix([[0, -sp.I, 0], [sp.I, 0, -sp.I], [0, sp.I, 0]]) / root,
        sp.diag(1, 0, -1),
    ]
    half = [sp.Matrix([[0, 1], [1, 0]]) / 2, sp.Matrix([[0, -sp.I], [sp.I, 0]]) / 2, sp.diag(1, -1) / 2]
    product = sp.zeros(6)
    for a, b in zip(one, half, strict=True):
        product += sp.Matrix(sp.kronecker_product(a, b))
    levels = product.eigenvals()
    assert len(levels) == 2
    return 4 * (max(levels) - min(levels))


@recompute("Lines of hydrogen-like ions")
def _():
    # the wave number with the measured Rydberg constant, and hc = 1239.84 eV nm
    wavelength = 1e9 / (1.0973732e7 * 4 * (1 / 4 - 1 / 9))
    return round(1239.84 / wavelength, 2)


@recompute("Identical particles fill the levels")
def _():
    states = [(n, spin) for n in range(1, 8) for spin in "+-"]
    return min(sum(n * n for n, _spin in chosen) for chosen in combinations(states, 5))


@recompute("Level width from the lifetime")
def _():
    joule = 6.62607e-34 / (2 * pi) / 2e-12
    return round(joule / 1.602177e-19 * 1e4, 2)


@recompute("Distance from magnitudes")
def _():
    # the flux: at 10 parsec 100^(1/5) per magnitude; dust takes one magnitude away
    step = 100 ** (1 / 5)
    flux, dusty = step**-11, 1 / step
    return round(10 * sqrt(dusty / flux), 6)


@recompute("Cosmological redshift scales everything")
def _():
    # the peak of the background's spectrum (Wien) was at a wavelength shorter by the same factor
    peak = 2.8978e-3 / 2.725 * 121.6 / 486.4
    return round(2.8978e-3 / peak, 6)


@recompute("Planet size and orbit from a transit")
def _():
    return crossing(lambda r: pi * r * r - 0.0144 * pi * (109 / 2) ** 2, 0.0, 100.0)


@recompute("Radial velocity amplitude by scaling")
def _():
    # whole orbits: 2 pi a / P of the planet about a unit mass, times the ratio of masses
    def amplitude(mass, period):
        radius = crossing(lambda a: a**3 - period**2, 0.0, 1e4)
        return mass * 2 * pi * radius / period

    return round(amplitude(4, 8 * 5.0) / amplitude(1, 5.0), 8)


@recompute("Star radius from temperature and luminosity")
def _():
    # Planck's spectrum summed over frequencies in units of the Sun's temperature; its peak moves with the temperature
    def spectrum(temperature):
        return lambda f: f**3 / (exp(f / temperature) - 1)

    power = [integral(spectrum(t), 1e-6, 60.0 * t) for t in (1.0, 2.0)]
    peaks = [max((f / 100 for f in range(1, 1500)), key=spectrum(t)) for t in (1.0, 2.0)]
    assert abs(peaks[1] / peaks[0] - 2) < 0.01
    return round(sqrt(64 * power[0] / power[1]), 6)
