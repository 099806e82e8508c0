using System.Runtime.InteropServices;

namespace EnergyGrid.Node;

/// <summary>A list that one thread appends to while others read what was there: a view never changes.</summary>
internal sealed class AppendLog<T>
{
    private readonly Lock _gate = new();
    private readonly List<T> _items = new(256);

    public ReadOnlySpan<T> View
    {
        get { lock (_gate) return CollectionsMarshal.AsSpan(_items); }
    }

    public void Add(ReadOnlySpan<T> items)
    {
        lock (_gate) _items.AddRange(items);
    }
}
