"""Recomputes the worked examples of Rates, Work and Mixtures without the method that the template teaches."""

from fractions import Fraction

from tests.templates.recompute import recompute


def crossing(function, low, high):
    """Zero of a function that rises from negative to positive, by bisection."""
    assert function(low) < 0 < function(high)
    for _step in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


@recompute("Average speed over several legs")
def _():
    # the constant speed that covers both ways in the same time, by simulation in minutes
    minutes, covered = 0, Fraction(0)
    while covered < 240:
        covered += Fraction(40 if covered < 120 else 60, 60)
        minutes += 1
    assert covered == 240
    return covered / Fraction(minutes, 60)


@recompute("Moving toward each other")
def _():
    def overlap(hour):
        return 60 * (hour - 8) + 90 * max(0, hour - 9) - 330

    return 60 * (crossing(overlap, 8.0, 20.0) - 8)


@recompute("Catching up with a head start")
def _():
    # minute by minute, in metres: the ride lasts until the cyclist is level with the walker
    walker, rider, ride = 40 * 100, 0, 0
    while rider < walker:
        walker, rider, ride = walker + 100, rider + 300, ride + 1
    assert rider == walker
    return ride


@recompute("With and against the current")
def _():
    found = [
        Fraction(48, current)
        for boat in range(1, 60)
        for current in range(1, boat)
        if 3 * (boat + current) == 48 and 4 * (boat - current) == 48
    ]
    assert len(found) == 1
    return found[0]


@recompute("Trains passing poles, bridges and trains")
def _():
    # positions of front and rear, one second after the other; the bridge lies from 0 to 420
    speed = 180 // 9
    front, seconds = 0, 0
    while front - 180 < 420:
        front += speed
        seconds += 1
    assert front - 180 == 420
    return seconds


@recompute("Meetings on a circular track")
def _():
    # they meet when the first one's position and the second one's, run backwards, agree on the track
    meetings = 0
    for half_second in range(1, 2 * 720 + 1):
        time = Fraction(half_second, 2)
        meetings += (5 * time) % 400 == (-3 * time) % 400
    return meetings


@recompute("Same distance at two speeds, late and early")
def _():
    return crossing(lambda way: (way / 4 - 5 / 60) - (way / 5 + 10 / 60), 0.0, 100.0)


@recompute("Combined work: add the rates")
def _():
    # a pool of 1800 litres: the pumps give 300 and 200 litres an hour, the drain takes 100
    litres, minutes = Fraction(0), 0
    while litres < 1800:
        litres += Fraction(300 + 200 - 100, 60)
        minutes += 1
    assert litres == 1800
    return Fraction(minutes, 60)


@recompute("Work done in stages")
def _():
    # a job of 3000 pieces: Ana makes 300 an hour, Ben 200
    pieces, minutes = Fraction(0), 0
    while pieces < 3000:
        pieces += Fraction(300 if minutes < 4 * 60 else 500, 60)
        minutes += 1
    assert pieces == 3000
    return Fraction(minutes, 60)


@recompute("Rate per worker and hour")
def _():
    found = [n for n in range(1, 100) if Fraction(360 * n * 5, 6 * 4) == 1050]
    assert len(found) == 1
    return found[0]


@recompute("Mixture by balancing the pure amount")
def _():
    return crossing(lambda x: (0.2 * 12 + 0.5 * x) / (12 + x) - 0.3, 0.0, 100.0)


@recompute("Drying out: the dry part stays constant")
def _():
    # remove water from 50 kg in steps of 10 g until it makes up only 60 % of the rest
    water, total = 4500, 5000
    while Fraction(water, total) > Fraction(60, 100):
        water, total = water - 1, total - 1
    assert Fraction(water, total) == Fraction(60, 100)
    return Fraction(total, 100)


@recompute("Blend of two prices by differences")
def _():
    found = [cheap for cheap in range(21) if 9 * cheap + 14 * (20 - cheap) == 11 * 20]
    assert len(found) == 1
    return found[0]


@recompute("Overtime and tiered prices")
def _():
    return sum(Fraction(18) if hour <= 40 else Fraction(18) * 3 / 2 for hour in range(1, 48))


@recompute("Unit conversion chain")
def _():
    drops = 0
    for _two_seconds in range(0, 24 * 60 * 60, 2):
        drops += 3
    return drops * Fraction(5, 100) / 1000


@recompute("Clock hands as two runners")
def _():
    # let both hands run from twelve o'clock, minute by minute, in half degrees
    hour_hand = minute_hand = 0
    for _minute in range(4 * 60 + 40):
        hour_hand, minute_hand = (hour_hand + 1) % 720, (minute_hand + 12) % 720
    gap = abs(hour_hand - minute_hand)
    return Fraction(min(gap, 720 - gap), 2)
