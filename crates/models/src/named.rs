//! Modules whose parameters have other names than the fields that hold them.

/// Implements Burn's `Module` for a struct whose fields have names of their own for visitors, mappers and records; a field
/// with an empty name takes the place of the struct. Settings behind the semicolon are kept, but not visited.
///
/// This gives PyTorch's names without a table of names, which would also match a user's struct of the same name.
macro_rules! named {
    ($module:ident $(<$generic:ident: $bound:ident>)? { $($field:ident: $name:literal),+ $(; $setting:ident)* }) => {
        impl $(<$generic: $bound>)? burn::module::Module for $module $(<$generic>)? {
            fn visit<V: burn::module::ModuleVisitor>(&self, visitor: &mut V) {
                let container = concat!("Struct:", stringify!($module));
                $(
                    if !$name.is_empty() {
                        visitor.enter_module($name, container);
                    }
                    self.$field.visit(visitor);
                    if !$name.is_empty() {
                        visitor.exit_module($name, container);
                    }
                )+
            }

            fn map<M: burn::module::ModuleMapper>(mut self, mapper: &mut M) -> Self {
                let container = concat!("Struct:", stringify!($module));
                $(
                    if !$name.is_empty() {
                        mapper.enter_module($name, container);
                    }
                    self.$field = burn::module::Module::map(self.$field, mapper);
                    if !$name.is_empty() {
                        mapper.exit_module($name, container);
                    }
                )+
                self
            }

            fn collect_devices(&self, devices: burn::module::Devices) -> burn::module::Devices {
                $(let devices = self.$field.collect_devices(devices);)+
                devices
            }

            fn fork(self, device: &burn::tensor::Device) -> Self {
                Self { $($field: self.$field.fork(device),)+ $($setting: self.$setting,)* }
            }

            fn to_device(self, device: &burn::tensor::Device) -> Self {
                Self { $($field: self.$field.to_device(device),)+ $($setting: self.$setting,)* }
            }

            fn train(self) -> Self {
                Self { $($field: self.$field.train(),)+ $($setting: self.$setting,)* }
            }

            fn valid(&self) -> Self {
                Self { $($field: self.$field.valid(),)+ $($setting: self.$setting,)* }
            }

            fn materialize(self) -> Self {
                Self { $($field: self.$field.materialize(),)+ $($setting: self.$setting,)* }
            }
        }

        impl $(<$generic: $bound>)? burn::module::ModuleDisplayDefault for $module $(<$generic>)? {
            fn content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                content.set_top_level_type(stringify!($module))$(.add(stringify!($field), &self.$field))+.optional()
            }

            fn num_params(&self) -> usize {
                burn::module::Module::num_params(self)
            }
        }

        impl $(<$generic: $bound>)? burn::module::ModuleDisplay for $module $(<$generic>)? {}

        impl $(<$generic: $bound>)? std::fmt::Display for $module $(<$generic>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&burn::module::ModuleDisplay::format(self, burn::module::DisplaySettings::default()))
            }
        }
    };
}

pub(crate) use named;
