"""What the tests of evals ask."""

GATE = "[gate]\nmin_score = 0.9\nmax_regression = 0.02\nsimulated = true\n"


def suite(*names, gate=GATE, expect='contains = "kind"'):
    cases = (
        f'[[case]]\nname = "{name}"\ninput = "{name}?"\nexpect = [{{ {expect} }}]\n'
        for name in names
    )
    return gate + "\n".join(cases)
