"""One notebook for each room, the papers' and our own, named as in `zotheory.papers.ROOMS`."""
