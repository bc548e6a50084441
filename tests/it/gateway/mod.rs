//! The gateway: who gets in, what comes over the wire, what HTTP answers.

mod busy;
mod fair;
mod frames;
mod hello;
mod http;
mod publish;
mod slow;
