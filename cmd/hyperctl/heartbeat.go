package main

import "time"

// heartbeatEvery is how long an output that goes on may be silent with --accessible.
const heartbeatEvery = 30 * time.Second

// heartbeatCheck is how often it is looked whether that long has gone by.
const heartbeatCheck = time.Second

// heartbeats ticks with --accessible, and never without: with each tick heartbeat is due. stop ends it.
func (c *console) heartbeats() (ticks <-chan time.Time, stop func()) {
	c.told = c.now()
	if !c.accessible() {
		return nil, func() {}
	}
	t := time.NewTicker(heartbeatCheck)
	return t.C, t.Stop
}

// heartbeat tells somebody to whom the screen is read that it goes on, unless something else was printed lately.
func (c *console) heartbeat(text string) {
	if now := c.now(); c.accessible() && !c.opts.quiet && now.Sub(c.told) >= heartbeatEvery {
		c.event(watchEvent{Time: now, Type: "heartbeat", Message: text}, text)
	}
}
