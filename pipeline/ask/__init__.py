"""From an English sentence to photos: words, dates, grammar, SQL, and similarity where nothing answers."""
