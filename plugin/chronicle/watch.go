package chronicle

// keptWatch is for one who waits for responses that are kept.
type keptWatch struct {
	wake  chan struct{}
	fresh []keptKey // under the chronicle's lock
}

// watch makes one, unwatch ends it, and takeWatched are the responses since the
// last time.
func (c *Chronicle) watch() *keptWatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &keptWatch{wake: make(chan struct{}, 1)}
	c.watches[w] = true
	return w
}

func (c *Chronicle) unwatch(w *keptWatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watches, w)
}

func (c *Chronicle) takeWatched(w *keptWatch) []keptKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := w.fresh
	w.fresh = nil
	return fresh
}
