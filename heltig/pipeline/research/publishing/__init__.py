"""Results of analyses sent to archives that the site names, and looked for there: never of themselves."""
