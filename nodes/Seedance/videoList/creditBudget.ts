/**
 * Maximum Credits per Period. A run reserves its rows first and then adds up, the reservations of
 * others included: two runs at once may both be refused, but never both pass the limit.
 */
import type { Row, VideoList } from '../../shared/idempotency/videoList';
import { ListError, where } from '../../shared/idempotency/videoList';
import { overPeriodLimit, type Problem } from '../../shared/task/errors';
import { periodStart } from '../../shared/timeZone';
import type { Prepared } from '../run/prepare';
import { cellText } from './rowChanges';

export const PERIODS = ['day', 'week', 'month'] as const;
export type Period = (typeof PERIODS)[number];

export interface CreditBudget {
	/** Credits. */
	credits: number;
	period: Period;
}

/**
 * Credits of a row that count: what was charged, or may be. An expired reservation counts 0,
 * because nothing was sent for it, and nothing will be.
 */
function countOf({ status, charged, credits, claimed_until: until }: Row, now: number): number {
	const isOver = status === 'CLAIMED' && !(Date.parse(until) > now);
	return status === 'PENDING' || charged === 'no' || isOver ? 0 : credits;
}

/**
 * The items that would exceed the limit, by item index; all items with the same For exceed it
 * together. Their rows are in the list already. `timeZone`: IANA name. Throws what the list throws,
 * and a ListError where `credits` and `budget_for` do not hold what was reserved.
 */
export async function overBudget(
	list: VideoList,
	budget: CreditBudget,
	timeZone: string,
	items: readonly Prepared[],
): Promise<Map<number, Problem>> {
	const since = new Date(periodStart(list.now(), budget.period, timeZone)).toISOString();
	const rows = await list.run({ do: 'get', all: [where('createdAt', since, 'gte')] });
	const problems = new Map<number, Problem>();
	const groups = new Map<string, Prepared[]>();
	for (const item of items) {
		const budgetFor = cellText(item.listed?.budgetFor);
		groups.set(budgetFor, [...(groups.get(budgetFor) ?? []), item]);
	}
	for (const [budgetFor, ofGroup] of groups) {
		const counted = rows.filter((row) => budgetFor === '' || row.budget_for === budgetFor);
		const sum = counted.reduce((credits, row) => credits + countOf(row, list.now()), 0);
		const credits = ofGroup.reduce((total, item) => total + item.credits, 0);
		// Without this check, a deleted or renamed column would let everything pass the limit.
		if (sum < credits) {
			throw new ListError('its columns credits and budget_for do not hold what was reserved');
		}
		if (sum <= budget.credits) continue;
		const problem = overPeriodLimit({
			credits,
			spent: sum - credits,
			limit: budget.credits,
			period: budget.period,
			budgetFor,
		});
		for (const { itemIndex } of ofGroup) problems.set(itemIndex, problem);
	}
	return problems;
}
