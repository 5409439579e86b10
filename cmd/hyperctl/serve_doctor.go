package main

import (
	"context"

	"hyper2kvm/internal/doctor"
)

// checker makes the checks of hyperctl doctor for the REST API.
type checker struct{ con *console }

// Checks looks at this host as the server's user sees it.
func (c checker) Checks(ctx context.Context) (any, error) {
	return doctor.Run(ctx, c.con.doctorOptions()), ctx.Err()
}
