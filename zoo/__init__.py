"""What the three stages share: registry, licences, corpora, synthesis, noise, runs."""
