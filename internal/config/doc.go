// Package config holds the daemon's settings: their defaults, the file they are read from, and what they may be.
//
// The file has two dialects. The flat one names everything at the top (workflow_dir, max_concurrent_jobs ...); the other has
// mode: at the top and puts base_dir, max_workers and poll_interval under workflow:. Each key may be written in either place,
// but not in both. Flags and the environment are laid over the result by the command, which then calls Validate.
package config
