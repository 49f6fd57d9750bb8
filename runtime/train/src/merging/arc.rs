//! The arc between two tensors, seen as vectors (Shoemake 1985).

/// `sin((1 - t) w) / sin w` of the first and `sin(t w) / sin w` of the second, `w` being the angle between them; the straight line where
/// the cosine of the angle is further from 0 than `straight`, or where one of them is 0 and has no direction.
pub(super) fn arc(a: &[f32], b: &[f32], t: f64, straight: f64) -> Vec<f32> {
    let (from, to) = shares(a, b, t, straight);
    a.iter().zip(b).map(|(a, b)| (from * f64::from(*a) + to * f64::from(*b)) as f32).collect()
}

fn shares(a: &[f32], b: &[f32], t: f64, straight: f64) -> (f64, f64) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    let cosine = (dot(a, b) / lengths).clamp(-1.0, 1.0);
    if lengths == 0.0 || cosine.abs() > straight {
        return (1.0 - t, t);
    }
    let angle = cosine.acos();
    ((angle * (1.0 - t)).sin() / angle.sin(), (angle * t).sin() / angle.sin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_right_angle_keeps_its_length() {
        let middle = arc(&[2.0, 0.0], &[0.0, 2.0], 0.5, 0.9995);
        assert!((middle[0] - 2.0f32.sqrt()).abs() < 1e-6 && middle[0] == middle[1], "{middle:?}");
        assert_eq!(arc(&[2.0, 0.0], &[0.0, 2.0], 0.0, 0.9995), [2.0, 0.0]);
        assert_eq!(arc(&[0.0, 0.0], &[0.0, 2.0], 0.5, 0.9995), [0.0, 1.0]);
        assert_eq!(arc(&[1.0, 0.0], &[-3.0, 0.0], 0.5, 0.9995), [-1.0, 0.0]);
    }
}
