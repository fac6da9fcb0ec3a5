/**
 * A model of runs that want the same video at the same moment: the product's own rules (claims.ts),
 * the steps around them as the nodes take them, and a search through every interleaving of these.
 * A step is atomic, as one statement of a database is, and a run may crash before each.
 */
import { nextAction, type ClaimedRow } from '../../nodes/shared/idempotency/claims';

/** Settings of the nodes, as the protocol sees them. */
export const MODES = {
	/** Also a Reuse Key in a run by hand. */
	'Always Reuse': { isShared: true, given: 'reuse' },
	'Reuse Key': { isShared: true, given: undefined },
	Skip: { isShared: true, given: 'skip' },
	/** Also a published run without a Reuse Key. */
	'Always Generate': { isShared: false, given: undefined },
	'Reuse in Manual Runs': { isShared: false, given: 'reuse' },
} as const;
export type Mode = keyof typeof MODES;

/** What a run does next. `over`: it has ended, or crashed. */
type Next =
	| ('read' | 'insert' | 'return' | 'takeOver' | 'confirm' | 'markUnclear' | 'withdraw' | 'begin')
	| ('post' | 'noteTask' | 'noteUnsent' | 'end' | 'handOn' | 'stop' | 'over');

export interface World {
	/** One for each run. */
	modes: readonly Mode[];
	/** A run may end at any moment, and what it has claimed runs out at any moment after that. */
	crashes?: boolean;
	/** So may the claim of a living run, except from its request to its task ID; it may be renewed. */
	lapses?: boolean;
	/** A run may be stopped, or be tired of waiting. Its request may be refused. */
	stops?: boolean;
	/** In place of the product's. */
	rules?: typeof nextAction<ModelRow>;
	/** A step that does not check whether it may be made. */
	blind?: Next;
}

interface Actor {
	mode: Mode;
	next: Next;
	/** The row that it is at, by id; 0 for none. */
	row: number;
	/** What that row held then, for a compare-and-set. */
	claim: string;
	status: ClaimedRow['status'];
	/** Rows that had been handed on when it first read; for a Reuse Key alone. */
	earlier?: number[];
}

export interface ModelRow extends ClaimedRow {
	/** Its insert has an id, but has not returned: no run can read the row yet. */
	isHidden: boolean;
	isPaid: boolean;
	/** By a run that shares with others. */
	isShared: boolean;
}

interface State {
	actors: Actor[];
	/** By id. */
	rows: ModelRow[];
}

export const NOW = 1;
const HELD = { claimedUntil: NOW + 1 };
const FREE = { claim: '', claimedUntil: 0 };
const NO_ROW = { row: 0, claim: '', status: 'PENDING' } as const;

/** A promise that does not hold. */
class Broken extends Error {}

const isOver = ({ next }: Actor) => next === 'over';

/** A state as a text; with `anyRun` the same one for states that differ in which run is which. */
function textOf({ actors, rows }: State, anyRun: boolean): string {
	const place = (id: number) => rows.findIndex((row) => row.id === id) + 1;
	const runs = actors.map((actor, index) => {
		const [row, earlier] = [place(actor.row), actor.earlier?.map(place)];
		const own = rows.map(({ claim }) => (claim === String(index) ? 1 : 0));
		const rank = [actor.mode, actor.next, row, actor.status, earlier, ...own].join();
		return { index, rank, actor: { ...actor, row, earlier } };
	});
	if (anyRun) runs.sort((a, b) => (a.rank < b.rank ? -1 : 1));
	const names = runs.map(({ index }) => String(index));
	const claimOf = ({ claim }: { claim: string }) => claim && String(names.indexOf(claim));
	return JSON.stringify({
		actors: runs.map(({ actor }) => ({ ...actor, claim: claimOf(actor) })),
		rows: rows.map((row, at) => ({ ...row, id: at + 1, claim: claimOf(row) })),
	});
}

const stateOf = (text: string) => JSON.parse(text) as State;

/** One run in one state, which its steps change. */
class Run {
	private readonly claim: string;
	private readonly actor: Actor;
	private readonly mode: (typeof MODES)[Mode];

	constructor(
		private readonly world: World,
		readonly state: State,
		index: number,
	) {
		this.claim = String(index);
		this.actor = state.actors[index];
		this.mode = MODES[this.actor.mode];
	}

	private get isBlind(): boolean {
		return this.world.blind === this.actor.next;
	}

	/** The row that it is at, if it is unchanged since. */
	private get row(): ModelRow | undefined {
		const { row, claim, status } = this.actor;
		const found = this.state.rows.find(({ id }) => id === row);
		const isSame = found?.claim === claim && found.status === status && !found.handedOn;
		return isSame || this.isBlind ? found : undefined;
	}

	private go(next: Next, row?: ModelRow): void {
		const isAtNone = next === 'read' || next === 'over' || !row;
		const { id, claim, status } = isAtNone ? { id: 0, ...NO_ROW } : row;
		Object.assign(this.actor, { next, row: id, claim, status });
		const isBid = (one: ModelRow) => one.claim === this.claim && one.status === 'PENDING';
		if (next === 'over' && this.state.rows.some(isBid)) throw new Broken('a bid is left behind');
	}

	/** Changes the row, and takes the next step; another one where the row was lost. */
	private write(set: Partial<ModelRow>, next: Next, whenLost: Next): void {
		const { row } = this;
		if (row) Object.assign(row, set);
		this.go(row ? next : whenLost, row);
	}

	private remove(row: ModelRow): void {
		if (row.isPaid) throw new Broken('what was paid for is deleted');
		this.state.rows.splice(this.state.rows.indexOf(row), 1);
	}

	private isDead({ claim }: ClaimedRow): boolean {
		return claim === '' || isOver(this.state.actors[Number(claim)]);
	}

	/** Reads. Gives what may follow by the rules: which runs live may be known or not. */
	read(): Array<() => void> {
		const { actor, claim, mode, world } = this;
		const rows = this.state.rows.filter(({ isHidden }) => !isHidden);
		if (actor.mode === 'Reuse Key') {
			actor.earlier ??= rows.filter(({ handedOn }) => handedOn).map(({ id }) => id);
		}
		let isAsked = false;
		const decide = (knows: boolean) => {
			const action = (world.rules ?? nextAction)(rows, {
				claim,
				now: NOW,
				isShared: mode.isShared,
				maxAgeMs: Infinity,
				...(mode.given && { handedOn: { do: mode.given, maxAgeMs: Infinity } }),
				isLive: (row) => {
					isAsked = true;
					return knows && !this.isDead(row);
				},
				isPaused: () => false,
				isEarlier: ({ id }) => !!actor.earlier?.includes(id),
			});
			return () => this.follow(action, rows);
		};
		const decided = [decide(true)];
		return isAsked ? [...decided, decide(false)] : decided;
	}

	private follow(action: ReturnType<typeof nextAction<ModelRow>>, rows: readonly ModelRow[]): void {
		const isSend = action.do === 'takeOver' && !action.row.hasTask;
		if (isSend || action.do === (this.mode.isShared ? 'confirm' : 'insert')) {
			for (const { handedOn, hasTask, ...row } of rows) {
				const isOwed = this.isDead(row as ModelRow) && (hasTask || row.status === 'SENDING');
				if (handedOn ? this.mode.given : isOwed) throw new Broken('one that is there is not used');
			}
		}
		if (action.do === 'wait' || (action.do === 'join' && !action.row.hasTask))
			return this.go('read');
		if (action.do === 'send') return this.go('begin', action.row);
		if (action.do !== 'join' && action.do !== 'reuse' && action.do !== 'skip') {
			this.go(action.do, 'row' in action ? action.row : undefined);
			if (action.do === 'insert') this.actor.status = action.status;
			return;
		}
		if (this.mode.given === 'skip' && action.do !== 'skip')
			throw new Broken('a second run gets it');
		this.go('over');
	}

	insert(): void {
		const id = Math.max(0, ...this.state.rows.map((row) => row.id)) + 1;
		const { status } = this.actor;
		const flags = { handedOn: false, hasTask: false, isHidden: true };
		const paid = { isPaid: false, isShared: false };
		const row = {
			id,
			status,
			claim: this.claim,
			...HELD,
			createdAt: 0,
			...flags,
			...paid,
		} as const;
		this.state.rows.push(row);
		this.go('return', row);
	}

	return(): void {
		const decided = this.isBlind ? 'confirm' : 'read';
		this.write({ isHidden: false }, this.row?.status === 'PENDING' ? decided : 'begin', 'over');
	}

	takeOver(): void {
		const { row, actor } = this;
		const isTheirs = row && row.claim !== actor.claim && row.claimedUntil > NOW;
		if (isTheirs) throw new Broken('a row is taken from the run that holds it');
		const status = this.actor.status === 'SENDING' ? 'CLAIMED' : this.actor.status;
		const next = status === 'CLAIMED' ? 'begin' : 'end';
		this.write({ claim: this.claim, status, ...HELD }, next, 'read');
	}

	confirm(): void {
		if (!this.row && this.isBlind) {
			this.insert();
			this.actor.next = 'confirm';
		}
		this.write({ status: 'CLAIMED', isHidden: false, ...HELD }, 'begin', 'read');
	}

	markUnclear(): void {
		this.write({ status: 'UNCLEAR', ...FREE }, 'over', 'read');
	}

	withdraw(): void {
		if (this.row) this.remove(this.row);
		this.go('read');
	}

	begin(): void {
		this.write({ status: 'SENDING', claim: this.claim, ...HELD }, 'post', 'over');
	}

	post(): void {
		const { row, actor, mode } = this;
		const isLapsed = !row || row.claimedUntil <= NOW;
		if (isLapsed && !this.isBlind) return this.go('noteUnsent', row);
		if (!row || row.isPaid || row.status === 'UNCLEAR') throw new Broken('a row is paid for twice');
		const others = this.state.rows.filter(
			({ id, status, isPaid, isShared }) =>
				isPaid && isShared && status !== 'UNCLEAR' && (mode.given || !actor.earlier?.includes(id)),
		);
		if (mode.isShared && others.length) throw new Broken('two videos are paid for');
		this.write({ isPaid: true, isShared: mode.isShared }, 'noteTask', 'over');
	}

	noteTask(): void {
		this.write({ status: 'IN_PROGRESS', hasTask: true }, 'end', 'over');
	}

	noteUnsent(): void {
		this.write({ status: 'CLAIMED' }, 'stop', 'over');
	}

	end(): void {
		this.write({ status: 'SUCCESS' }, 'handOn', 'over');
	}

	handOn(): void {
		if (this.row?.handedOn) throw new Broken('a row is handed on twice');
		this.write({ handedOn: true, ...FREE }, 'over', 'over');
	}

	/** Gives back what it holds. */
	stop(): void {
		for (const row of this.state.rows.filter(({ claim }) => claim === this.claim)) {
			if (row.status === 'PENDING' || row.status === 'CLAIMED') this.remove(row);
			else Object.assign(row, FREE);
		}
		this.go('over');
	}

	crash(): void {
		const isLost = (row: ModelRow) => row.isHidden && row.claim === this.claim;
		this.state.rows = this.state.rows.filter((row) => !isLost(row));
		Object.assign(this.actor, { next: 'over', ...NO_ROW });
	}

	refused(): void {
		this.go('noteUnsent', this.row);
	}
}

function* stepsFrom(
	text: string,
	world: World,
): Generator<[actor: number, name: string, to: State]> {
	const { actors, rows } = stateOf(text);
	for (const [index, { next }] of actors.entries()) {
		const fresh = () => new Run(world, stateOf(text), index);
		for (const place of next === 'read' ? fresh().read().keys() : []) {
			const run = fresh();
			run.read()[place]();
			yield [index, `read and ${run.state.actors[index].next}`, run.state];
		}
		const stops = world.stops && (next === 'read' || next === 'begin' || next === 'end');
		const refuses = world.stops && next === 'post';
		for (const name of [next, world.crashes && 'crash', stops && 'stop', refuses && 'refused']) {
			if (next === 'over' || !name || name === 'read' || name === 'over') continue;
			const run = fresh();
			run[name as 'stop']();
			yield [index, name, run.state];
		}
	}
	for (const [at, { claim, claimedUntil, isHidden }] of rows.entries()) {
		if (claim === '' || isHidden) continue;
		const { next } = actors[Number(claim)];
		const isHeld = claimedUntil > NOW;
		if (next === 'over' ? !isHeld : !world.lapses || next === 'noteTask') continue;
		const state = stateOf(text);
		state.rows[at].claimedUntil = isHeld ? 0 : HELD.claimedUntil;
		yield [actors.length, isHeld ? 'the claim runs out' : 'the claim is renewed', state];
	}
}

/** What going through a world has shown. */
export interface Explored {
	/** Each state as a text. */
	states: string[];
	broken?: string;
	/** The steps to where it breaks. */
	path: string[];
}

/**
 * Goes through every state of a world, breadth first, until a promise is broken. With `onStep`, which
 * is called for each step, the runs are distinguished.
 */
export function explore(
	world: World,
	onStep?: (from: number, actor: number, to: number) => void,
): Explored {
	const actors = world.modes.map((mode) => ({ mode, next: 'read' as const, ...NO_ROW }));
	const states = [textOf({ actors, rows: [] }, !onStep)];
	const places = new Map([[states[0], 0]]);
	const cameFrom: Array<[from: number, step: string]> = [];
	const pathTo = (at: number): string[] =>
		at === 0 ? [] : [...pathTo(cameFrom[at][0]), cameFrom[at][1]];
	for (let at = 0; at < states.length; at++) {
		try {
			for (const [actor, name, to] of stepsFrom(states[at], world)) {
				const text = textOf(to, !onStep);
				const place = places.get(text) ?? states.push(text) - 1;
				places.set(text, place);
				cameFrom[place] ??= [at, `${actor} ${name}`];
				onStep?.(at, actor, place);
			}
		} catch (error) {
			if (!(error instanceof Broken)) throw error;
			return { states, broken: error.message, path: pathTo(at) };
		}
	}
	return { states, path: [] };
}

/** How many videos were paid for when all runs are over: each number that there may be. */
export function paidAtTheEnd({ states }: Explored): number[] {
	const ends = states.map(stateOf).filter(({ actors }) => actors.every(isOver));
	return [...new Set(ends.map(({ rows }) => rows.filter(({ isPaid }) => isPaid).length))].sort();
}

/**
 * States from which the runs can go on for ever, although each that has not ended takes a step again
 * and again, and each claim of a crashed one runs out.
 */
export function endless(world: World): string[] {
	const edges: Array<[from: number, actor: number, to: number]> = [];
	const { states } = explore(world, (...edge) => edges.push(edge));
	const everyone = [...world.modes.keys(), world.modes.length];
	const isIdle = everyone.map((actor) =>
		states.map(stateOf).map(({ actors, rows }) => {
			if (actor < actors.length) return isOver(actors[actor]);
			return !rows.some((row) => row.claimedUntil > NOW && isOver(actors[Number(row.claim)]));
		}),
	);
	const ends = (at: number) => world.modes.every((_, actor) => isIdle[actor][at]);
	let left = new Set([...states.keys()].filter((at) => !ends(at)));
	for (let before = -1; before !== left.size; ) {
		before = left.size;
		for (const actor of everyone) {
			const inside = edges.filter(([from, , to]) => left.has(from) && left.has(to));
			const stepping = inside.filter(([, by]) => by === actor).map(([from]) => from);
			const reaching = new Set([...stepping, ...[...left].filter((at) => isIdle[actor][at])]);
			for (let size = -1; size !== reaching.size; ) {
				size = reaching.size;
				for (const [from, , to] of inside) if (reaching.has(to)) reaching.add(from);
			}
			left = reaching;
		}
	}
	return [...left].map((at) => states[at]);
}
