//! The first state of an instance.

use std::ops::ControlFlow;

use super::NodeBody;
use super::eval::{People, Person, Scene};
use super::overlay::Side;
use super::state::Arranged;
use super::state::NodeState;
use super::step::{FIRST, FlowScratch, Runner};
use crate::plan::expr::Params;

impl Runner<'_> {
    /// Fills the states of a new instance. Fails with the number of bytes if they are more than `bytes_max`.
    pub(crate) fn hydrate(
        &self,
        params: Params<'_>,
        states: &mut [NodeState],
        scratch: &mut FlowScratch,
        bytes_max: usize,
    ) -> Result<(), usize> {
        scratch.reset(self.flow);
        for number in 0..self.flow.nodes.len() {
            let node = &self.flow.nodes[number];
            if number + 1 == self.flow.nodes.len() && !node.is_stateful() {
                break;
            }
            scratch.input.clear();
            let (below, own) = states.split_at_mut(number);
            let people = Newcomer {
                states: below,
                params,
            };
            let mut byte_len = 0;
            match &node.body {
                NodeBody::Union(children) => {
                    for child in children {
                        for (_, weight, row) in scratch.outputs[usize::from(*child)].iter() {
                            scratch.input.push(0, weight, row);
                        }
                    }
                }
                NodeBody::Select(plan, _) => {
                    let runner: Runner<'_> = *self;
                    let person = Person {
                        instance: 0,
                        params,
                    };
                    let scene = Scene {
                        side: Some(Side::After),
                        ..runner.scene(&people, Some(person))
                    };
                    let input = &mut scratch.input;
                    let _ = scene.combinations(plan, &mut |row| {
                        input.push(0, 1, row);
                        if input.byte_len() > bytes_max {
                            return ControlFlow::Break(());
                        }
                        ControlFlow::Continue(())
                    });
                    byte_len = input.byte_len();
                }
            }
            if byte_len > bytes_max {
                return Err(byte_len);
            }
            self.finish(number as u16, FIRST, scratch, &mut |_, _, visit| {
                visit(params, &mut own[0]);
            });
        }
        let byte_len = states.iter().map(NodeState::byte_len).sum();
        if byte_len > bytes_max {
            return Err(byte_len);
        }
        Ok(())
    }
}

/// An instance that is not there yet.
#[derive(Debug)]
struct Newcomer<'n> {
    states: &'n [NodeState],
    params: Params<'n>,
}

impl<'n> People<'n> for Newcomer<'n> {
    fn person(&self, instance: u32) -> Option<Person<'n>> {
        Some(Person {
            instance,
            params: self.params,
        })
    }

    fn route(&self, _: u16, _: &[u8], _: &mut dyn FnMut(Person<'n>)) {}

    fn everyone(&self, _: &mut dyn FnMut(Person<'n>)) {}

    fn arranged(&self, _: u32, node: u16) -> Option<&'n Arranged> {
        self.states.get(usize::from(node))?.arranged.as_deref()
    }
}
