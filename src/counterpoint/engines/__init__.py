"""Engines run the equation of `counterpoint.mixing` on a pipeline; each undoes all it attaches."""
