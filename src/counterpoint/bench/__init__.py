"""Evidence: draw the same cases in several ways, judge the pictures, count, and write figures with intervals."""
