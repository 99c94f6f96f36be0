"""What is shown, from results alone: `curves` over lengths, `pairs` of a drawn set, `summaries` of jobs."""
