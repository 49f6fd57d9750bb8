//! Scaling laws from the runs of a comparison: parabolas at equal compute, the power law through their lowest points.

use std::fmt::Write as _;

use llmp_stdlib::number::human;
use serde::Serialize;

use crate::plot::{self, Axis, Series};
use crate::settings::Flops;

llmp_stdlib::def! {
    /// The law of compute-optimal training as Llama 3.1 fits it.
    ///
    /// Runs whose FLOPs agree within a tenth are one budget. For each budget the loss is a parabola in the logarithm of
    /// tokens; the lowest points of the budgets give `tokens = A FLOPs^alpha`, and `FLOPs / (6 tokens)` is the size. A lowest
    /// point beyond the runs of its budget takes no part.
    ///
    /// ```llmp
    /// fit = isoflop(at = 3.8e25 flops)
    /// ```
    IsoFlop = "isoflop", rev 1 {
        /// A budget for which tokens and size are foretold.
        at: Option<Flops> = "none",
    }
}

llmp_stdlib::family! {
    /// A law that is fitted to the runs of a comparison.
    Law = "law" { IsoFlop }
}

/// One run, or the mean of the seeds of one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// FLOPs that it used.
    pub flops: f64,
    /// Tokens that it used.
    pub tokens: f64,
    /// What was measured; less is better.
    pub loss: f64,
}

/// Where a budget is best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lowest {
    /// Tokens at the lowest point of the parabola.
    pub tokens: f64,
    /// FLOPs over six times these tokens.
    pub parameters: f64,
    /// The loss there.
    pub loss: f64,
    /// Whether it lies between runs; one beyond them takes no part in the law.
    pub inside: bool,
}

/// Runs of about equal FLOPs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    /// Their mean FLOPs.
    pub flops: f64,
    /// Tokens and loss of each run, by tokens.
    pub runs: Vec<[f64; 2]>,
    /// The loss is `a x^2 + b x + c` with x the natural logarithm of tokens: a, b, c.
    pub parabola: Option<[f64; 3]>,
    /// None where fewer than three sizes ran, or the parabola does not bend upwards.
    pub lowest: Option<Lowest>,
}

/// What is foretold for a budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// FLOPs.
    pub flops: f64,
    /// The best tokens.
    pub tokens: f64,
    /// The best size.
    pub parameters: f64,
}

/// A fitted law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fitted {
    /// The budgets, by FLOPs.
    pub budgets: Vec<Budget>,
    /// A and alpha of `tokens = A FLOPs^alpha`; none where fewer than two budgets have a lowest point between their runs.
    pub power: Option<[f64; 2]>,
    /// For the budget that was asked for.
    pub forecast: Option<Forecast>,
}

/// Fits a law to runs.
pub fn fit(points: &[Point], law: &Law) -> Fitted {
    let Law::IsoFlop(law) = law;
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.flops.total_cmp(&b.flops));
    let mut groups: Vec<Vec<Point>> = Vec::new();
    for point in points {
        match groups.last_mut() {
            Some(group) if point.flops <= group[0].flops * 1.1 => group.push(point),
            _ => groups.push(vec![point]),
        }
    }
    let budgets: Vec<Budget> = groups.iter().map(|group| budget(group)).collect();
    let lowest =
        budgets.iter().filter_map(|b| Some((b.flops.ln(), b.lowest.filter(|l| l.inside)?.tokens.ln())));
    let power = line(&lowest.collect::<Vec<_>>()).map(|[at, slope]| [at.exp(), slope]);
    let forecast = power.zip(law.at).map(|([scale, exponent], Flops(flops))| {
        let tokens = (scale.ln() + exponent * flops.ln()).exp();
        Forecast { flops, tokens, parameters: flops / (6.0 * tokens) }
    });
    Fitted { budgets, power, forecast }
}

fn budget(group: &[Point]) -> Budget {
    let flops = group.iter().map(|p| p.flops).sum::<f64>() / group.len() as f64;
    let mut runs: Vec<[f64; 2]> = group.iter().map(|p| [p.tokens, p.loss]).collect();
    runs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let logarithms: Vec<(f64, f64)> = runs.iter().map(|[tokens, loss]| (tokens.ln(), *loss)).collect();
    let parabola = parabola(&logarithms);
    let lowest = parabola.filter(|[a, _, _]| *a > 0.0).map(|[a, b, c]| {
        let at = -b / (2.0 * a);
        let inside = logarithms.first().is_some_and(|(low, _)| *low <= at)
            && logarithms.last().is_some_and(|(high, _)| at <= *high);
        let tokens = at.exp();
        Lowest { tokens, parameters: flops / (6.0 * tokens), loss: c - b * b / (4.0 * a), inside }
    });
    Budget { flops, runs, parabola, lowest }
}

/// Least squares by `a x^2 + b x + c`; none for fewer than three different x.
///
/// On polynomials that are orthogonal over the points: no matrix to invert, nothing is lost to cancellation.
fn parabola(points: &[(f64, f64)]) -> Option<[f64; 3]> {
    let n = points.len() as f64;
    let sum = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| f(*x, *y)).sum::<f64>();
    let mean = sum(&|x, _| x) / n;
    let squares = sum(&|x, _| (x - mean).powi(2));
    let skew = sum(&|x, _| (x - mean).powi(3)) / squares;
    let bend = |x: f64| (x - mean) * (x - mean) - skew * (x - mean) - squares / n;
    let bends = sum(&|x, _| bend(x).powi(2));
    if !(squares > 0.0 && bends > 1e-12 * squares * squares) {
        return None;
    }
    let level = sum(&|_, y| y) / n;
    let slope = sum(&|x, y| (x - mean) * y) / squares;
    let a = sum(&|x, y| bend(x) * y) / bends;
    let b = slope - a * skew - 2.0 * a * mean;
    let c = level - a * squares / n - (slope - a * skew) * mean + a * mean * mean;
    Some([a, b, c])
}

/// Least squares by `at + slope x`; none for fewer than two different x.
fn line(points: &[(f64, f64)]) -> Option<[f64; 2]> {
    let n = points.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let squares: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / squares;
    (squares > 0.0).then_some([y - slope * x, slope])
}

impl Fitted {
    /// The law as a table for a terminal.
    pub fn table(&self, metric: &str) -> String {
        let mut text = format!(
            "{:>10}  {:>5}  {:>11}  {:>11}  {metric}\n",
            "FLOPs", "sizes", "best tokens", "best size"
        );
        for budget in &self.budgets {
            let (flops, sizes) = (budget.flops, budget.runs.len());
            let (tokens, size, loss) = match budget.lowest {
                Some(l) if l.inside => (human(l.tokens), human(l.parameters), format!("{:.4}", l.loss)),
                Some(_) => ("-".into(), "-".into(), "the lowest point lies beyond the runs".into()),
                None => ("-".into(), "-".into(), "no lowest point".to_owned()),
            };
            let _ = writeln!(text, "{flops:>10.3e}  {sizes:>5}  {tokens:>11}  {size:>11}  {loss}");
        }
        match self.power {
            Some([scale, exponent]) => {
                let _ = writeln!(
                    text,
                    "best tokens = {scale:.4} FLOPs^{exponent:.4}, best size = FLOPs / (6 tokens)"
                );
            }
            None => {
                text.push_str("no law: it needs two budgets whose lowest point lies between their runs\n")
            }
        }
        if let Some(f) = &self.forecast {
            let (tokens, size) = (human(f.tokens), human(f.parameters));
            let _ = writeln!(text, "at {:.3e} FLOPs: {tokens} tokens, {size} parameters", f.flops);
        }
        text
    }

    /// Runs with their parabolas, and the lowest points with the law.
    pub fn figure(&self, metric: &str) -> String {
        let (mut curves, mut legend) = (Vec::new(), Vec::new());
        for (colour, budget) in self.budgets.iter().enumerate() {
            let name = format!("{:.2e} FLOPs", budget.flops);
            legend.push((name.clone(), colour));
            if let (Some([a, b, c]), Some(first), Some(last)) =
                (budget.parabola, budget.runs.first(), budget.runs.last())
            {
                let (low, high) = (first[0].ln(), last[0].ln());
                let x = (0..=60).map(|k| low + (high - low) * f64::from(k) / 60.0);
                let points = x.map(|x| [x.exp(), (a * x + b) * x + c]).collect();
                curves.push(Series { name: name.clone(), points, colour, dots: false });
            }
            curves.push(Series { name, points: budget.runs.clone(), colour, dots: true });
        }
        let axis = |label, log| Axis { label, log };
        let mut plots = vec![plot::plot(axis("tokens", true), axis(metric, false), &curves, 320.0)];
        if let Some([scale, exponent]) = self.power {
            let lowest = |(colour, b): (usize, &Budget)| {
                let points = vec![[b.flops, b.lowest.filter(|l| l.inside)?.tokens]];
                Some(Series { name: format!("{:.2e} FLOPs", b.flops), points, colour, dots: true })
            };
            let mut law: Vec<Series> = self.budgets.iter().enumerate().filter_map(lowest).collect();
            let ends = self.budgets.iter().map(|b| b.flops).chain(self.forecast.map(|f| f.flops));
            let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(l, h), x| (l.min(x), h.max(x)));
            let points =
                [low, high].map(|flops| [flops, (scale.ln() + exponent * flops.ln()).exp()]).to_vec();
            law.push(Series { name: format!("exponent {exponent:.3}"), points, colour: 7, dots: false });
            plots.push(plot::plot(axis("FLOPs", true), axis("best tokens", true), &law, 260.0));
        }
        plot::figure(
            "law",
            &format!("{metric}: equal compute, and the law of the lowest points"),
            &legend,
            &plots,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// What numpy and scipy make of the same runs (`tests/python/scaling_law.py`).
    #[derive(Deserialize)]
    struct Golden {
        runs: Vec<[f64; 3]>,
        parabolas: Vec<[f64; 3]>,
        tokens: Vec<f64>,
        losses: Vec<f64>,
        power: [f64; 2],
        at: f64,
        forecast: [f64; 2],
    }

    fn points(runs: &[[f64; 3]]) -> Vec<Point> {
        runs.iter()
            .map(|[flops, tokens, loss]| Point { flops: *flops, tokens: *tokens, loss: *loss })
            .collect()
    }

    fn isoflop(at: f64) -> Law {
        Law::IsoFlop(IsoFlop { at: Some(Flops(at)) })
    }

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-7 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn fits_are_those_of_numpy_and_scipy() {
        let all: Vec<Golden> =
            serde_json::from_str(include_str!("../tests/golden/scaling_law.json")).unwrap();
        assert!(all.len() >= 3);
        for golden in all {
            let found = fit(&points(&golden.runs), &isoflop(golden.at));
            assert_eq!(found.budgets.len(), golden.parabolas.len());
            for (k, budget) in found.budgets.iter().enumerate() {
                let parabola = budget.parabola.unwrap();
                (0..3).for_each(|i| close(parabola[i], golden.parabolas[k][i]));
                close(budget.lowest.unwrap().tokens, golden.tokens[k]);
                close(budget.lowest.unwrap().loss, golden.losses[k]);
            }
            let (power, forecast) = (found.power.unwrap(), found.forecast.unwrap());
            (0..2).for_each(|i| close(power[i], golden.power[i]));
            close(forecast.tokens, golden.forecast[0]);
            close(forecast.parameters, golden.forecast[1]);
        }
    }

    #[test]
    fn runs_on_the_law_of_llama_give_its_size_back() {
        // (0.537, 0.299): the pair of the figure, by which 3.8e25 FLOPs are worth 16.3T tokens.
        let law = |flops: f64| 0.299 * flops.powf(0.537);
        let runs = [6e18, 1e20, 1e22].into_iter().flat_map(|flops| {
            [0.25, 0.5, 1.0, 2.0, 4.0]
                .map(|ratio: f64| [flops, law(flops) * ratio, 2.0 + 0.1 * ratio.ln().powi(2)])
        });
        let found = fit(&points(&runs.collect::<Vec<_>>()), &isoflop(3.8e25));
        let (power, forecast) = (found.power.unwrap(), found.forecast.unwrap());
        close(power[1], 0.537);
        assert!((forecast.tokens / 16.3e12 - 1.0).abs() < 0.01, "{}", forecast.tokens);
        let table = found.table("nats");
        assert!(table.contains("FLOPs^0.5370") && table.contains("T tokens, "), "{table}");
        assert_eq!(found.figure("nats").matches("<circle").count(), 18);
    }

    #[test]
    fn budgets_without_a_lowest_point_between_their_runs_take_no_part() {
        let valley =
            |flops: f64, at: f64| [0.5, 1.0, 2.0].map(|x: f64| [flops, x, (x.ln() - at.ln()).powi(2)]);
        let hill = [[1e12, 1.0, 1.0], [1e12, 2.0, 2.0], [1e12, 4.0, 1.0]];
        let few = [[1e15, 1.0, 2.0], [1e15, 2.0, 1.0]];
        let runs = [&valley(1e13, 1.0)[..], &valley(1e14, 5.0), &hill, &few].concat();
        let found = fit(&points(&runs), &isoflop(1e20));
        let inside: Vec<_> = found.budgets.iter().map(|b| b.lowest.map(|l| l.inside)).collect();
        assert_eq!(inside, [None, Some(true), Some(false), None]);
        assert_eq!((found.power, found.forecast), (None, None));
        let table = found.table("nats");
        for words in ["lies beyond the runs", "no lowest point", "no law"] {
            assert!(table.contains(words), "{table}");
        }
        assert!(!found.figure("nats").contains("NaN"));
        assert!(fit(&[], &isoflop(1.0)).budgets.is_empty());
    }
}
