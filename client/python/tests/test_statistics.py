"""Known answers and laws of the statistics."""

import math
import random
import unittest

from energygrid_results.statistics import (Observation, bounded_bias_quantile, half_width, holm, nested_mean, p_value, spread_parts, student_cdf, upper_quantile, upper_tail)


def seen(*values):
    return [Observation(*v) for v in values]


class StudentTests(unittest.TestCase):
    def test_quantiles_are_those_of_the_printed_tables(self):
        table = {  # P(T ≤ t): (ν, t) as printed, three decimals
            0.95: [(1, "6.314"), (2, "2.920"), (4, "2.132"), (7, "1.895"), (10, "1.812"), (30, "1.697"), (120, "1.658")],
            0.975: [(1, "12.706"), (2, "4.303"), (3, "3.182"), (4, "2.776"), (5, "2.571"), (7, "2.365"), (10, "2.228"), (20, "2.086"), (30, "2.042"), (60, "2.000"), (120, "1.980")],
            0.995: [(1, "63.657"), (2, "9.925"), (5, "4.032"), (9, "3.250"), (29, "2.756")],
            0.9995: [(1, "636.619"), (2, "31.599"), (5, "6.869"), (10, "4.587"), (40, "3.551")],
        }
        for p, entries in table.items():
            for dof, printed in entries:
                self.assertEqual(f"{upper_quantile(1 - p, dof):.3f}", printed, (p, dof))

    def test_the_distribution_function_is_the_closed_form_of_few_degrees_of_freedom(self):
        closed = {
            1: lambda x: 0.5 + math.atan(x) / math.pi,
            2: lambda x: 0.5 + x / (2 * math.sqrt(2 + x * x)),
            3: lambda x: 0.5 + (x / math.sqrt(3) / (1 + x * x / 3) + math.atan(x / math.sqrt(3))) / math.pi,
            4: lambda x: 0.5 + 3 / 8 * x / math.sqrt(1 + x * x / 4) * (1 - x * x / (1 + x * x / 4) / 12),
            5: lambda x: 0.5 + (x / (math.sqrt(5) * (1 + x * x / 5)) * (1 + 2 / (3 * (1 + x * x / 5))) + math.atan(x / math.sqrt(5))) / math.pi,
        }
        for dof, formula in closed.items():
            for x in (-40.0, -3.2, -1.0, -0.01, 0.0, 1e-6, 0.3, 1.7, 2.776, 9.5):
                self.assertAlmostEqual(student_cdf(x, dof), formula(x), delta=1e-12)

    def test_small_tails_keep_their_digits(self):
        # ν = 1: P(T > x) = atan(1/x)/π; ν = 2: 1/(s(s + x)) with s = √(x² + 2).
        for x in (10.0, 1e4, 1e8):
            s = math.sqrt(x * x + 2)
            self.assertAlmostEqual(upper_tail(x, 1) / (math.atan(1 / x) / math.pi), 1, delta=1e-12)
            self.assertAlmostEqual(upper_tail(x, 2) * s * (s + x), 1, delta=1e-12)

    def test_quantile_and_distribution_are_inverse(self):
        rng = random.Random(1)
        for _ in range(300):
            tail, dof = 10 ** rng.uniform(-9, -0.31), rng.choice([1, 2, 3, 4, 8, 19, 63, 250, 1499])
            self.assertAlmostEqual(upper_tail(upper_quantile(tail, dof), dof) / tail, 1, delta=1e-11)


class BoundedBiasTests(unittest.TestCase):
    def test_without_bias_it_is_students_interval(self):
        for dof in (1, 4, 7, 30):
            for alpha in (0.1, 0.05, 0.05 / 18):
                self.assertEqual(bounded_bias_quantile(alpha, dof, 0.0), upper_quantile(alpha / 2, dof))

    def test_a_large_bias_adds_the_one_sided_quantile(self):
        for dof in (4, 9, 30):
            for alpha in (0.05, 0.01):
                bias = 1e5
                self.assertAlmostEqual(bounded_bias_quantile(alpha, dof, bias) - bias, upper_quantile(alpha, dof), delta=1e-6)

    def test_with_many_degrees_of_freedom_it_is_the_published_table(self):
        # Armstrong and Kolesár, "Simple and honest confidence intervals in nonparametric regression", table 1, 95 %.
        for bias, printed in ((0.0, 1.960), (0.1, 1.970), (0.2, 1.999), (0.5, 2.181), (1.0, 2.646), (1.5, 3.145), (2.0, 3.645)):
            self.assertAlmostEqual(bounded_bias_quantile(0.05, 1_000_000, bias), printed, delta=6e-4)

    def test_its_probability_is_alpha(self):
        rng = random.Random(2)
        for _ in range(200):
            alpha, dof, bias = rng.uniform(0.001, 0.2), rng.randint(1, 60), 10 ** rng.uniform(-4, 4)
            c = bounded_bias_quantile(alpha, dof, bias)
            self.assertAlmostEqual((upper_tail(c - bias, dof) + upper_tail(c + bias, dof)) / alpha, 1, delta=1e-8)

    def test_without_scatter_the_half_width_is_the_bound(self):
        self.assertEqual(half_width(0.0, 3, 0.05, 0.07), 0.07)
        self.assertAlmostEqual(half_width(1e-300, 3, 0.05, 0.07), 0.07, delta=1e-15)

    def test_the_p_value_is_the_alpha_whose_interval_ends_at_zero(self):
        for difference, se, dof, bound in ((0.02, 0.004, 7, 0.003), (-0.3, 0.01, 3, 0.05), (0.011, 0.009, 1, 0.0)):
            p = p_value(difference, se, dof, bound)
            self.assertAlmostEqual(half_width(se, dof, p, bound), abs(difference), delta=1e-9 * abs(difference))
        self.assertEqual(p_value(0.0, 0.01, 4, 0.02), 1.0)


class HolmTests(unittest.TestCase):
    def test_by_hand(self):
        # 0.005·4 = 0.02; 0.01·3 = 0.03; 0.03·2 = 0.06; max(0.06, 0.04·1) = 0.06
        for got, expected in zip(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(got, expected, delta=1e-15)
        self.assertEqual(holm([0.9, 0.8]), [1.0, 1.0])
        self.assertEqual(holm([]), [])


class NestedMeanTests(unittest.TestCase):
    def test_passes_then_device_groups_then_nodes_are_averaged_unweighted(self):
        mean = nested_mean(seen(("h1", "h1/a", 0, 1.0), ("h1", "h1/a", 1, 3.0), ("h1", "h1/b", 0, 6.0), ("h2", "h2/c", 0, 10.0)), 5)
        # node h1: (2 + 6)/2 = 4; node h2: 10; mean 7; s = √18, se = 3
        self.assertEqual((mean.value, mean.scope, mean.units, mean.dof), (7.0, "nodes", 2, 1))
        self.assertAlmostEqual(mean.standard_error, 3.0, delta=1e-15)

    def test_units_are_the_highest_level_of_which_there_are_two(self):
        self.assertEqual(nested_mean(seen(("h", "h/a", 0, 1.0), ("h", "h/b", 0, 2.0)), 5).scope, "this node")
        self.assertEqual(nested_mean(seen(("h", "h/a", 0, 1.0), ("h", "h/a", 1, 2.0)), 5).scope, "this device")
        alone = nested_mean(seen(("h", "h/a", 0, 1.0)), 5)
        self.assertEqual((alone.scope, alone.units, alone.standard_error), ("none", 1, None))

    def test_scatter_of_passes_is_that_of_the_first_stage(self):
        values = [1.0, 2.0, 3.0, 100.0, 200.0]
        mean = nested_mean(seen(*(("h", "h/a", i, v) for i, v in reversed(list(enumerate(values))))), 3)
        # s of 1, 2, 3 is 1; se = 1/√5; ν = 2
        self.assertAlmostEqual(mean.standard_error, 1 / math.sqrt(5), delta=1e-15)
        self.assertEqual((mean.dof, mean.units), (2, 5))


class SpreadTests(unittest.TestCase):
    def test_balanced_by_hand(self):
        parts = spread_parts(seen(("1", "1a", 0, 1.0), ("1", "1a", 1, 3.0), ("1", "1b", 0, 5.0), ("1", "1b", 1, 7.0), ("2", "2c", 0, 11.0), ("2", "2c", 1, 13.0), ("2", "2d", 0, 9.0), ("2", "2d", 1, 11.0)))
        # MS within 8/4 = 2; of devices 20/2 = 10; of nodes 98/1 = 98: variances 2, (10 − 2)/2 = 4, (98 − 10)/4 = 22
        for got, variance in ((parts.passes, 2), (parts.device, 4), (parts.node, 22)):
            self.assertAlmostEqual(got, math.sqrt(variance), delta=1e-14)
        self.assertIsNone(parts.device_and_node)

    def test_unequal_numbers_by_hand(self):
        parts = spread_parts(seen(("1", "a", 0, 1.0), ("1", "a", 1, 2.0), ("1", "a", 2, 3.0), ("1", "b", 0, 6.0)))
        # MS within 2/2 = 1; of devices 3·1 + 1·9 = 12; k1 = 4 − (9 + 1)/4 = 1.5: variance 11/1.5
        self.assertAlmostEqual(parts.passes, 1.0, delta=1e-15)
        self.assertAlmostEqual(parts.device, math.sqrt(11 / 1.5), delta=1e-14)
        self.assertIsNone(parts.node)

    def test_one_device_group_a_node_holds_both_together(self):
        parts = spread_parts(seen(("1", "a", 0, 1.0), ("1", "a", 1, 3.0), ("2", "b", 0, 6.0), ("2", "b", 1, 8.0)))
        # MS within 2; between 25: (25 − 2)/2
        self.assertAlmostEqual(parts.device_and_node, math.sqrt(11.5), delta=1e-14)
        self.assertEqual((parts.device, parts.node), (None, None))

    def test_negative_variances_are_shown_as_zero(self):
        parts = spread_parts(seen(("1", "a", 0, 0.0), ("1", "a", 1, 10.0), ("1", "b", 0, 1.0), ("1", "b", 1, 9.0)))
        self.assertEqual(parts.device, 0.0)

    def test_moments_are_unbiased_with_unequal_numbers(self):
        rng, sums, rounds = random.Random(3), [0.0, 0.0, 0.0], 4000
        for _ in range(rounds):
            rows = []
            for node, devices in (("1", (2, 3)), ("2", (1, 4, 2)), ("3", (2,))):
                at_node = rng.gauss(0, 3)
                for d, passes in enumerate(devices):
                    at_device = at_node + rng.gauss(0, 2)
                    rows += [(node, f"{node}{d}", p, at_device + rng.gauss(0, 1)) for p in range(passes)]
            parts = spread_parts(seen(*rows))
            for i, v in enumerate((parts.passes, parts.device, parts.node)):
                sums[i] += v * v / rounds
        # Three nodes' variance is often cut at zero, which raises its mean: that side has no bound here.
        self.assertAlmostEqual(sums[0], 1, delta=0.05)
        self.assertAlmostEqual(sums[1], 4, delta=0.5)
        self.assertGreater(sums[2], 8.5)


if __name__ == "__main__":
    unittest.main()
