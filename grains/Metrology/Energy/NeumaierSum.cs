namespace EnergyGrid.Metrology;

/// <summary>A compensated sum (Neumaier 1974): its error does not grow with the number of terms. Mutable; pass by reference.</summary>
public struct NeumaierSum
{
    private double _sum;
    private double _lost;

    /// <summary>A sum that goes on from a value.</summary>
    public NeumaierSum(double value) => _sum = value;

    /// <summary>The sum so far.</summary>
    public readonly double Value => _sum + _lost;

    /// <summary>Adds a finite term.</summary>
    public void Add(double term)
    {
        var sum = _sum + term;
        _lost += Math.Abs(_sum) >= Math.Abs(term) ? (_sum - sum) + term : (term - sum) + _sum;
        _sum = sum;
    }
}
