"""One notebook for each paper and one for our own results, named as in `zotheory.papers.ROOMS`."""
