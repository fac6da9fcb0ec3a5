// For the tests of the oracles: takes a promise out of the node for one test.

/** Undo what a test has changed in the node. */
const undos: Array<() => void> = [];
export const undoAll = (): void => undos.splice(0).forEach((undo) => undo());
export const undoLater = (undo: () => void): void => void undos.push(undo);

type CallOf<F> = F extends (...call: infer Call) => unknown ? Call : never;
type GivenBy<F> = F extends (...call: never[]) => infer Given ? Given : never;

/** Changes a function of the node; the new one gets the real one, and what it is called with. */
export const change = <M extends object, K extends keyof M>(module: M, name: K) => ({
	to: (changed: (real: M[K], ...call: CallOf<M[K]>) => GivenBy<M[K]>): void => {
		const real = module[name];
		if (typeof real !== 'function') throw new Error(`The node has no ${String(name)}`);
		// A method keeps its object.
		Reflect.set(module, name, function (this: unknown, ...call: CallOf<M[K]>) {
			return changed(real.bind(this), ...call);
		});
		undos.push(() => (module[name] = real));
	},
});
