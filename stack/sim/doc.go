// Package sim is the stepped world for tests: several whole stacks, the cables
// and switches between them and their users, all on one goroutine, with one
// clock that jumps from event to event and one seed for all chance. The same
// seed gives the same frames at the same times, to the byte.
//
//	world.go    the clock and what happens next
//	host.go     a stack in the world
//	link.go     a cable, and what is wrong with it
//	witness.go  watches every frame for what no TCP may do
//	stream.go   bytes that know their place, so that nobody keeps a copy
//	talk.go, speaker.go   two users at the ends of a connection
//	scenario_test.go   all of it drawn from a seed, and cut down when it fails
//
// A test makes a World, adds hosts and links, lets its users talk, and runs it.
// Whatever a rule of the witness or of a user finds wrong ends the run with an
// error that says where and when.
//
// Left out on purpose: time that passes while a stack computes, and concurrency
// of any kind. Locks are tested elsewhere, with the race detector.
package sim
