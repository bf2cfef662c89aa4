"""From records to results: the plan, the driver, the journal of a run and its saved trees."""
