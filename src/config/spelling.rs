//! How near one word is to another, by which a misspelt key is told what it was meant to be.

/// The known word that is the least letters away.
pub(super) fn nearest<'a>(text: &str, known: &[&'a str]) -> &'a str {
    known.iter().min_by_key(|known| distance(text, known)).copied().unwrap_or_default()
}

/// How many letters must be put in, taken out or exchanged (Levenshtein 1966).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, &found) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != found);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
